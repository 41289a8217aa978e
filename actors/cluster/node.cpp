#include <troupe/actors/cluster/internal/node_core.hpp>
#include <troupe/actors/cluster/node_access.hpp>

#include <troupe/actors/watch.hpp>
#include <troupe/io/listening.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/simulator.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace troupe::cluster {

using internal::cell;
using internal::protocol_table;

namespace {

/// At random; in a simulation the same in the same run, and not in the order in which they are drawn.
node_id new_id() {
  node_id made;
  if (troupe::internal::simulator* const here = troupe::internal::current_simulator()) {
    const std::uint64_t number = here->number_task();
    made.bits = {number * 0x9e3779b97f4a7c15, number};
  } else if (::getrandom(made.bits.data(), sizeof made.bits, 0) != sizeof made.bits) {
    throw std::system_error(errno, std::generic_category(), "random numbers of the system");
  }
  return made;
}

}  // namespace

std::string node_id::text() const {
  char made[33];
  std::snprintf(made, sizeof made, "%016llx%016llx", static_cast<unsigned long long>(bits[0]),
                static_cast<unsigned long long>(bits[1]));
  return made;
}

// --- life -------------------------------------------------------------------------------------------------------------

node::core::core(node_options given)
    : home_(troupe::internal::running_loop("a node")), options_(std::move(given)) {
  if (!is_name(options_.name, internal::longest_name))
    throw std::invalid_argument(
        "a node needs a name, of up to 255 bytes and without control characters");
  if (options_.longest_message < internal::least_longest)
    throw std::invalid_argument("a node has to take messages of 64 KiB at least");
  if (options_.heartbeat <= duration::zero() || options_.silence <= options_.heartbeat)
    throw std::invalid_argument(
        "the silence by which a node is lost has to be longer than the time between heartbeats");
  if (options_.waiting == 0 || options_.unsent == 0)
    throw std::invalid_argument(
        "a node has to let something wait for others: unsent bytes, and waiting messages");
  for (const std::string& each : options_.named_seeds) {
    const std::size_t colon = each.rfind(':');
    if (colon == 0 || colon == std::string::npos || colon + 1 == each.size())
      throw std::invalid_argument("a seed is named HOST:PORT, and not '" + each + "'");
  }
  info_.id = new_id();
  info_.name = options_.name;
}

node::core::~core() = default;

void node::core::expect_safe(const io::endpoint& at, const char* doing) const {
  if (at.is_loopback() || options_.insecure || options_.secure_dialled) return;
  throw std::invalid_argument("a node was to " + std::string(doing) + " " + at.text() +
                              ", where others can listen in and speak: give it credentials "
                              "(troupe::cluster::credentials), or say `insecure`");
}

void node::core::begin() {
  if (static_cast<bool>(options_.secure_accepted) != static_cast<bool>(options_.secure_dialled))
    throw std::invalid_argument("a node is secure in both directions, or in none");
  for (const io::endpoint& each : options_.seeds) expect_safe(each, "connect to");
  if (options_.listen) {
    expect_safe(*options_.listen, "listen at");
    const std::weak_ptr<core> self = weak_from_this();
    listening_ = io::start_server(
        [self](io::stream wire) -> coro<> {
          const std::shared_ptr<core> alive = self.lock();
          if (alive != nullptr) co_await alive->serve(std::move(wire));
        },
        *options_.listen, {.most_connections = options_.most_connections});
    info_.address = options_.address ? options_.address->text() : listening_.local().text();
  }
  for (const io::endpoint& each : options_.seeds) look_for(each, true);
  for (const std::string& each : options_.named_seeds) look_for_name(each);
}

void node::core::leave() {
  if (std::exchange(leaving_, true)) return;
  if (options_.listen) {
    listening_.close();
    listening_.abort_clients();
  }
  for (auto& [address, each] : looking_) each.looks.cancel();
  for (const any_actor& each : kept) each.stop();
  for (const auto& [id, each] : std::exchange(peers, {})) each->lose("this node leaves");
  for (const auto& [name, number] : std::exchange(names_, {})) unnamed(number);
  names_changed();
}

// --- actors -----------------------------------------------------------------------------------------------------------

/// Tells the node of the end of an actor that others have refs of. Counted: by the actor's list, or by the news on its way.
class node::core::ending final : public troupe::internal::watcher, public work {
 public:
  ending(const std::shared_ptr<core>& of, std::uint64_t number) noexcept
      : work(&ending::arrive), home_(of->home()), of_(of), number_(number) {}

  void told(const exit_reason& why) noexcept override {
    why_ = why;
    if (loop::current() == &home_) {
      home_.push(*this);  // not now: it is in the midst of its end
    } else if (!home_.post(*this)) {
      let_go();
    }
  }
  void keep() noexcept override { count_.add(); }
  void let_go() noexcept override {
    if (count_.drop()) delete this;
  }

 private:
  ~ending() = default;
  static void arrive(work& item) noexcept {
    auto& self = static_cast<ending&>(item);
    if (const std::shared_ptr<core> alive = self.of_.lock()) alive->ended(self.number_, self.why_);
    self.let_go();
  }

  troupe::internal::ref_count count_{1};
  loop& home_;
  std::weak_ptr<core> of_;
  std::uint64_t number_;
  exit_reason why_;
};

std::uint64_t node::core::number_of(cell& who, const protocol_table& messages) {
  const auto known = numbers_.find(&who);
  if (known != numbers_.end()) {
    auto& tables = exports_.at(known->second).tables;
    if (std::find(tables.begin(), tables.end(), &messages) == tables.end())
      tables.push_back(&messages);
    return known->second;
  }
  const std::uint64_t number = ++last_number_;
  numbers_.emplace(&who, number);
  auto* const watching = new ending(shared_from_this(), number);
  watching->keep();  // by the list, which may be told at once, and here
  exports_.emplace(number, exported{any_actor::of(who), {&messages}, watching});
  troupe::internal::watch(who, *watching);
  return number;
}

void node::core::let_go(std::uint64_t number) noexcept {
  const auto known = exports_.find(number);
  if (known == exports_.end()) return;
  --known->second.holders;
  forget_if_unused(number);
}

void node::core::forget_if_unused(std::uint64_t number) noexcept {
  const auto known = exports_.find(number);
  if (known == exports_.end() || known->second.holders != 0 || known->second.names != 0) return;
  const exported gone = std::move(known->second);
  exports_.erase(known);
  numbers_.erase(gone.who.cell());
  troupe::internal::unwatch(*gone.who.cell(), *gone.watching);
  gone.watching->let_go();
}

node::core::exported* node::core::find(std::uint64_t number) noexcept {
  const auto known = exports_.find(number);
  return known != exports_.end() ? &known->second : nullptr;
}

void node::core::ended(std::uint64_t number, const exit_reason& why) {
  const auto known = exports_.find(number);
  if (known == exports_.end()) return;
  numbers_.erase(known->second.who.cell());
  known->second.watching->let_go();
  exports_.erase(known);
  for (const auto& [id, each] : peers) each->forget(number);
  std::erase_if(names_, [&](const auto& each) {
    if (each.second != number) return false;
    for (const auto& [id, peer] : peers) peer->send_name(each.first, 0);
    return true;
  });
  for (const auto& [id, each] : peers) each->send_ended(number, why);
}

// --- names ------------------------------------------------------------------------------------------------------------

void node::core::publish(std::string name, cell& who, const protocol_table& messages) {
  if (!is_name(name, internal::longest_published))
    throw std::invalid_argument(
        "an actor was to be published under a name that is empty, longer than 1024 bytes, or has "
        "control characters in it");
  const std::uint64_t number = number_of(who, messages);
  for (const auto& [id, each] : peers) each->send_name(name, number);
  const auto before = names_.find(name);
  const std::uint64_t replaced = before != names_.end() ? before->second : 0;
  names_[std::move(name)] = number;
  ++exports_.at(number).names;
  if (replaced != 0) unnamed(replaced);
  names_changed();
}

void node::core::unpublish(std::string_view name) {
  const auto known = names_.find(name);
  if (known == names_.end()) return;
  const std::uint64_t number = known->second;
  names_.erase(known);
  for (const auto& [id, each] : peers) each->send_name(name, 0);
  unnamed(number);
}

void node::core::unnamed(std::uint64_t number) noexcept {
  const auto known = exports_.find(number);
  if (known == exports_.end()) return;
  --known->second.names;
  forget_if_unused(number);
}

cell* node::core::find_own(std::string_view name, const protocol_table& messages) {
  const auto own = names_.find(name);
  if (own == names_.end()) return nullptr;
  exported& found = exports_.at(own->second);
  for (const protocol_table* const each : found.tables) {
    if (each != &messages) continue;
    found.who.cell()->retain();
    return found.who.cell();
  }
  throw std::invalid_argument("'" + std::string(name) + "' was published with another protocol");
}

cell* node::core::find_on(const node_id& where, std::string_view name,
                          const protocol_table& messages) {
  if (where == info_.id) return find_own(name, messages);
  const auto member = peers.find(where);
  if (member == peers.end()) throw node_lost("node " + where.text() + " is no member");
  const auto known = member->second->names.find(name);
  return known != member->second->names.end()
             ? member->second->stand_in_for(known->second, messages)
             : nullptr;
}

cell* node::core::find(std::string_view name, const protocol_table& messages) {
  if (cell* const own = find_own(name, messages)) return own;
  for (const auto& [id, each] : peers) {
    const auto known = each->names.find(name);
    if (known != each->names.end()) return each->stand_in_for(known->second, messages);
  }
  return nullptr;
}

coro<> node::core::next_name() {
  const std::shared_ptr<core> alive = shared_from_this();
  co_await names_changed_.wait();
  if (leaving_) throw invalid_state("a name was looked for, and the node leaves");
}

void node::core::names_changed() {
  names_changed_.set();
  names_changed_.clear();
}

void node::core::watch_members(actor_ref<membership> told) {
  for (const auto& [id, each] : peers) told.tell(node_up{each->info()});
  watching_.push_back(std::move(told));
}

std::string node::core::describe() const {
  std::string text =
      "node '" + info_.name + "' at " + (info_.address.empty() ? "no address" : info_.address) +
      ", " + std::to_string(exports_.size()) + " actors known to others, " +
      std::to_string(options_.listen ? listening_.connections() : 0) + " connections accepted";
  for (const auto& [name, number] : names_) text += "\n  publishes '" + name + "'";
  for (const auto& [address, each] : looking_)
    if (!each.looks.done() && !each.trouble.empty())
      text += "\n  looks for " + address + ": " + each.trouble;
  for (const auto& [id, each] : peers) {
    text += "\n  node '" + each->info().name + "' at " +
            (each->info().address.empty() ? "no address" : each->info().address) + ": " +
            std::to_string(each->refs()) + " refs, " + std::to_string(each->asks()) + " asks";
    if (each->paused() != 0) text += ", " + std::to_string(each->paused()) + " actors without room";
    if (each->waits_here() != 0)
      text += ", " + std::to_string(each->waits_here()) + " bytes that wait for room here";
    for (const auto& [name, number] : each->names) text += "\n    publishes '" + name + "'";
  }
  return text;
}

// --- the handle -------------------------------------------------------------------------------------------------------

node::node(node_options options) : core_(std::make_shared<core>(std::move(options))) {
  core_->begin();
}
node::~node() { core_->leave(); }
const node_info& node::info() const noexcept { return core_->info(); }
void node::connect(const io::endpoint& there) {
  core_->expect_safe(there, "connect to");
  core_->look_for(there, true);
}
std::vector<node_info> node::members() const {
  std::vector<node_info> all;
  for (const auto& [id, each] : core_->peers) all.push_back(each->info());
  return all;
}
void node::watch_members(actor_ref<membership> told) { core_->watch_members(std::move(told)); }
void node::publish_cell(std::string name, cell& who, const protocol_table& messages) {
  core_->publish(std::move(name), who, messages);
}
void node::unpublish(std::string_view name) { core_->unpublish(name); }
cell* node::find_cell(std::string_view name, const protocol_table& messages) {
  return core_->find(name, messages);
}
cell* node::find_cell_on(const node_id& where, std::string_view name,
                         const protocol_table& messages) {
  return core_->find_on(where, name, messages);
}
void node::keep(any_actor maker) { internal::node_access(*this).keep(std::move(maker)); }
coro<> node::next_name() { return core_->next_name(); }
std::string node::describe() const { return core_->describe(); }

}  // namespace troupe::cluster
