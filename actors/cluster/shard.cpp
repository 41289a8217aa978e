#include <troupe/actors/cluster/shard.hpp>

#include <troupe/actors/cluster/wire.hpp>

#include <atomic>
#include <stdexcept>

namespace troupe::cluster::internal {

namespace {
constexpr std::uint32_t most_partitions = 16'384;
constexpr std::size_t longest_shard_name = 255;
}  // namespace

void check(std::string_view name, const shard_options& options) {
  if (!is_name(name, longest_shard_name))
    throw std::invalid_argument(
        "a shard needs a name, of up to 255 bytes and without control characters");
  const std::string whose = "shard '" + std::string(name) + "': ";
  if (options.partitions == 0 || options.partitions > most_partitions)
    throw std::invalid_argument(whose + "it has 1 to 16384 partitions, and not " +
                                std::to_string(options.partitions));
  if (options.least == 0)
    throw std::invalid_argument(whose + "`least` counts this node, so it is 1 at least");
  if (options.idle <= duration::zero())
    throw std::invalid_argument(whose + "`idle` is longer than nothing, or `infinite`");
  if (options.hand_over <= duration::zero() || options.hand_over == infinite ||
      options.patience <= duration::zero() || options.patience == infinite)
    throw std::invalid_argument(whose +
                                "`hand_over` and `patience` are longer than nothing, and end");
  if (options.settle < duration::zero() || options.settle == infinite)
    throw std::invalid_argument(whose + "`settle` is not less than nothing, and ends");
  if (options.waiting == 0)
    throw std::invalid_argument(whose +
                                "while a partition moves its messages have to wait: "
                                "`waiting` is 1 at least");
}

region_options options_of(const shard_options& given, bool hosts) {
  region_options made;
  made.places = {given.partitions, given.least, given.hand_over, given.patience};
  made.idle = given.idle;
  made.settle = hosts ? given.settle : duration::zero();
  made.waiting = given.waiting;
  return made;
}

std::string region_name(std::string_view shard) {
  return std::string(node_access::reserved).append("shard/").append(shard);
}

std::uint64_t next_region_life() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void throw_is_there(std::string_view shard) {
  throw std::invalid_argument("this node has a shard '" + std::string(shard) + "' already");
}

std::string describe_places(const placement& of, std::string_view name, std::size_t actors) {
  using phase = placement::phase;
  std::string text = "shard '" + std::string(name) + "': " + std::to_string(actors) +
                     " actors here, " + std::to_string(of.count(phase::active)) + " of " +
                     std::to_string(of.partitions()) + " partitions";
  const std::pair<phase, const char*> others[] = {{phase::claiming, "to come"},
                                                  {phase::paused, "paused"},
                                                  {phase::leaving, "leaving"},
                                                  {phase::draining, "stopping"}};
  for (const auto& [what, words] : others)
    if (const std::size_t count = of.count(what); count != 0)
      text += ", " + std::to_string(count) + " " + words;
  text += of.hosting() ? "; hosts:" : "; hosts, without this one:";
  for (const node_id& each : of.hosts()) text += " " + each.text();
  const std::string other = of.disagreement();
  return other.empty() ? text : text + "; " + other;
}

}  // namespace troupe::cluster::internal
