// For libFuzzer (clang): whatever bytes a peer sends as a layout and as a message, they are read or refused. `./dev check` runs it for a minute.
#include <troupe/actors/cluster/codec.hpp>

#include <map>
#include <set>

using namespace troupe;
using namespace troupe::cluster;

namespace {

struct branch {
  int value = 0;
  std::vector<branch> below;
};
struct sample {
  std::int64_t number = 0;
  std::string text;
  std::optional<branch> perhaps;
  std::variant<bool, std::string, std::vector<branch>> either;
  std::map<std::string, std::vector<double>> known;
  std::set<int> some;
  std::array<std::pair<char, std::chrono::seconds>, 2> two{};
  io::bytes raw;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The first byte says how long the layout is.
  if (size == 0) return 0;
  const std::size_t split = std::min<std::size_t>(data[0], size - 1);
  const std::string_view told(reinterpret_cast<const char*>(data + 1), split);
  const std::span<const std::byte> content(reinterpret_cast<const std::byte*>(data + 1 + split),
                                           size - 1 - split);
  static const layout mine = layout::parse(layout_text<sample>());
  const reading_limits limits{.memory = 1 << 20, .depth = 16};
  try {
    reader from(content, limits);
    const sample found = decode<sample>(from);
    // What was read is written as it is read again.
    writer once;
    encode(once, found);
    const io::bytes first = once.take();
    reader again(first.span());
    writer twice;
    encode(twice, decode<sample>(again));
    if (twice.take().text() != first.text()) __builtin_trap();
  } catch (const malformed&) {
  }
  try {
    const layout theirs = layout::parse(told);
    if (layout::parse(theirs.text()) != theirs) __builtin_trap();
    reader over(content, limits);
    over.skip(theirs);
  } catch (const malformed&) {
  }
  try {
    const layout theirs = layout::parse(told);
    if (!readable(mine, theirs)) return 0;
    reader from(content, limits);
    static_cast<void>(decode<sample>(from, &theirs));
  } catch (const malformed&) {
  }
  return 0;
}
