#include <troupe/actors/cluster/internal/node_core.hpp>

#include <troupe/actors/internal/in_seconds.hpp>
#include <troupe/actors/watch.hpp>
#include <troupe/io/listening.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/timeout.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace troupe::cluster {

using internal::cell;
using internal::peer;
using internal::protocol_table;

namespace {

constexpr std::uint32_t magic = 0x70757274;  // "trup"
constexpr std::uint8_t version = 1;
constexpr std::size_t longest_hello = 4096;
constexpr std::size_t longest_name = 255;
// All that is no message of a program fits into that: names, layouts, errors.
constexpr std::size_t least_longest = std::size_t{1} << 16;
// Of those that peers have told of: who has a certificate is believed, but not without end.
constexpr std::size_t most_addresses = 10'000;

bool is_loopback(const io::endpoint& at) {
  const std::string address = at.address();
  return address.starts_with("127.") || address == "::1";
}

/// At random; in a simulation the same in the same run.
node_id new_id() {
  node_id made;
  if (troupe::internal::simulator* const here = troupe::internal::current_simulator()) {
    made.bits = {here->number_task(), 0};
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
  if (!is_name(options_.name, longest_name))
    throw std::invalid_argument(
        "a node needs a name, of up to 255 bytes and without control characters");
  if (options_.longest_message < least_longest)
    throw std::invalid_argument("a node has to take messages of 64 KiB at least");
  if (options_.heartbeat <= duration::zero() || options_.silence <= options_.heartbeat)
    throw std::invalid_argument(
        "the silence by which a node is lost has to be longer than the time between heartbeats");
  info_.id = new_id();
  info_.name = options_.name;
}

node::core::~core() = default;

void node::core::expect_safe(const io::endpoint& at, const char* doing) const {
  if (is_loopback(at) || options_.insecure || options_.secure_dialled) return;
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
    info_.address = listening_.local().text();
  }
  for (const io::endpoint& each : options_.seeds) look_for(each);
}

void node::core::leave() {
  if (std::exchange(leaving_, true)) return;
  if (options_.listen) {
    listening_.close();
    listening_.abort_clients();
  }
  for (auto& [address, each] : looking_) each.cancel();
  for (const any_actor& each : factories) each.stop();
  for (const auto& [id, each] : std::exchange(peers, {})) each->lose("this node leaves");
  names_changed();
}

// --- connections ------------------------------------------------------------------------------------------------------

void node::core::look_for(const io::endpoint& there) {
  const std::string address = there.text();
  const auto known = looking_.find(address);
  if (known != looking_.end() && !known->second.done()) return;
  looking_.insert_or_assign(
      address, create_task(keep_looking(there), {.name = "node: look for " + address}));
}

void node::core::heard_of(const node_id& other, const std::string& address) {
  // Of two nodes the lower one makes the connection.
  if (!(info_.id < other) || peers.contains(other) || looking_.size() >= most_addresses) return;
  try {
    const io::endpoint there = io::endpoint::parse(address);
    expect_safe(there, "connect to");
    look_for(there);
  } catch (const std::exception&) {  // of a family that is not known here
  }
}

coro<> node::core::serve(io::stream wire) {
  try {
    if (options_.secure_accepted) {
      auto securing = options_.secure_accepted(std::move(wire));
      wire = co_await timeout(options_.handshake, std::move(securing));
    }
    co_await talk(std::move(wire), false);
  } catch (const std::system_error&) {
  } catch (const timeout_error&) {
  }
}

coro<> node::core::keep_looking(io::endpoint there) {
  const std::shared_ptr<core> alive = shared_from_this();
  duration pause = options_.retry;
  const std::string address = there.text();
  const auto is_there = [&] {
    return std::any_of(peers.begin(), peers.end(),
                       [&](const auto& each) { return each.second->info().address == address; });
  };
  while (!leaving_ && address != info_.address) {
    try {
      if (!is_there()) {
        auto opening = io::open_connection(there);
        io::stream wire = co_await timeout(options_.handshake, std::move(opening));
        if (options_.secure_dialled) {
          auto securing = options_.secure_dialled(std::move(wire));
          wire = co_await timeout(options_.handshake, std::move(securing));
        }
        if (co_await talk(std::move(wire), true)) pause = options_.retry;
      }
    } catch (const std::system_error&) {
    } catch (const timeout_error&) {
    }
    co_await sleep(pause);
    pause = std::min(pause * 2, options_.slowest_retry);
  }
}

coro<node::core::greeting> node::core::exchange_hellos(io::stream& wire) {
  writer to;
  to.number(std::uint32_t{0});
  to.number(static_cast<std::uint8_t>(internal::frame::hello));
  to.number(magic);
  to.number(version);
  to.number(info_.id.bits[0]);
  to.number(info_.id.bits[1]);
  to.text(info_.name);
  to.text(info_.address);
  to.number(static_cast<std::uint64_t>(options_.longest_message));
  to.number_at(0, static_cast<std::uint32_t>(to.size() - sizeof(std::uint32_t)));
  wire.write(to.take());
  const io::bytes head = co_await wire.read_exactly(sizeof(std::uint32_t));
  reader size_of(head.span());
  const auto size = size_of.number<std::uint32_t>();
  if (size > longest_hello) reader::refuse("a greeting that is too long, or none");
  const io::bytes body = co_await wire.read_exactly(size);
  reader from(body.span());
  if (from.number<std::uint8_t>() != static_cast<std::uint8_t>(internal::frame::hello) ||
      from.number<std::uint32_t>() != magic)
    reader::refuse("somebody who is no node");
  if (from.number<std::uint8_t>() != version)
    reader::refuse("a node of another version of the protocol");
  greeting heard;
  node_info& found = heard.who;
  found.id.bits[0] = from.number<std::uint64_t>();
  found.id.bits[1] = from.number<std::uint64_t>();
  found.name = from.name(longest_name);
  found.address = from.name(longest_name);
  if (found.name.empty()) reader::refuse("a node without a name");
  heard.longest = from.number<std::uint64_t>();
  if (heard.longest < least_longest) reader::refuse("a node that takes hardly anything");
  co_return heard;
}

coro<bool> node::core::talk(io::stream wire, bool dialled) {
  auto exchanging = exchange_hellos(wire);
  greeting heard;
  try {
    heard = co_await timeout(options_.handshake, std::move(exchanging));
  } catch (const malformed&) {
    wire.abort();
    co_return false;
  } catch (const io::incomplete_read&) {  // it has gone in the midst of it
    co_return false;
  }
  const node_info& who = heard.who;
  if (who.id == info_.id || leaving_) co_return false;
  const auto known = peers.find(who.id);
  // Of two connections between two nodes that one stays which the lower of them has made.
  if (known != peers.end()) {
    const bool by_the_lower = dialled == (info_.id < who.id);
    if (!by_the_lower) co_return false;
    const std::shared_ptr<peer> other = known->second;
    part(other, "another connection takes its place");
  }
  const auto made = std::make_shared<peer>(*this, who, heard.longest);
  made->most_unsent = options_.unsent;
  made->heard = home_.time();
  welcome(made);
  auto writing = create_task(write(wire, made), {.name = "node: write to " + who.name});
  auto beating = create_task(beat(wire, made), {.name = "node: watch " + who.name});
  std::string why = "it has closed the connection";
  try {
    co_await read(wire, *made);
  } catch (const std::system_error& error) {
    why = error.what();
  } catch (const std::exception& error) {  // malformed, or no memory
    why = error.what();
    home_.report({"node '" + who.name + "' is not understood", std::current_exception()});
  } catch (const cancelled&) {
    part(made, "this node leaves");
    writing.cancel();
    beating.cancel();
    throw;
  }
  part(made, why);
  writing.cancel();
  beating.cancel();
  wire.abort();
  co_return true;
}

namespace {

constexpr std::size_t head_size = sizeof(std::uint32_t);

/// How many bytes the frame has that begins here, with its head; 0 when not even that is there. Errors: `malformed`.
std::size_t frame_size(std::span<const std::byte> begun, std::size_t longest) {
  if (begun.size() < head_size) return 0;
  reader head(begun);
  const auto size = head.number<std::uint32_t>();
  if (size == 0 || size > longest) reader::refuse("a frame that is longer than there may be");
  return head_size + size;
}

void append(io::bytes& to, io::bytes& from, std::size_t size, std::size_t room) {
  if (to.room().size() < size) {
    io::bytes larger = io::bytes::with_capacity(room);
    if (!to.empty()) std::memcpy(larger.room().data(), to.data(), to.size());
    larger.grow(to.size());
    to = std::move(larger);
  }
  std::memcpy(to.room().data(), from.data(), size);
  to.grow(size);
  from.consume(size);
}

}  // namespace

coro<> node::core::read(io::stream& wire, peer& from) {
  io::bytes begun;  // a frame of which the rest has not come
  while (!from.lost()) {
    io::bytes some = co_await wire.read_some();
    if (some.empty()) co_return;
    from.heard = home_.time();
    while (!some.empty() && !from.lost()) {
      if (begun.empty()) {
        const std::size_t size = frame_size(some.span(), options_.longest_message);
        if (size != 0 && size <= some.size()) {
          from.receive(some.span().subspan(head_size, size - head_size));
          some.consume(size);
          continue;
        }
      }
      const std::size_t size = frame_size(begun.span(), options_.longest_message);
      const std::size_t wanted = (size != 0 ? size : head_size) - begun.size();
      append(begun, some, std::min(wanted, some.size()), std::max(size, head_size));
      if (size == 0 || begun.size() < size) continue;
      from.receive(begun.span().subspan(head_size));
      begun = {};
    }
  }
}

coro<> node::core::write(io::stream& wire, std::shared_ptr<peer> to) {
  try {
    for (;;) {
      co_await to->something_to_send.wait();
      if (to->lost()) break;
      to->something_to_send.clear();
      wire.write(to->take_out());
      to->set_in_stream(wire.unsent());
      co_await wire.drain();
      to->set_in_stream(wire.unsent());
    }
  } catch (const std::system_error&) {  // who reads is told as well
  }
  wire.abort();  // another connection has taken its place: who reads is to hear of it
}

coro<> node::core::beat(io::stream& wire, std::shared_ptr<peer> with) {
  while (!with->lost()) {
    co_await sleep(options_.heartbeat);
    if (with->lost()) break;
    with->sweep();
    if (!std::exchange(with->sent_since, false)) with->send_beat();
    if (home_.time() - with->heard < options_.silence) continue;
    part(with, "nothing was heard of it for " + troupe::internal::in_seconds(options_.silence));
    wire.abort();
  }
}

void node::core::welcome(const std::shared_ptr<peer>& arrived) {
  for (const auto& [id, each] : peers) {
    if (!each->info().address.empty()) arrived->send_member(each->info());
    if (!arrived->info().address.empty()) each->send_member(arrived->info());
  }
  peers.emplace(arrived->info().id, arrived);
  for (const auto& [name, number] : names_) arrived->send_name(name, number);
  std::erase_if(watching_, [](const auto& each) { return !each.cell()->takes_messages(); });
  for (const auto& each : watching_) each.tell(node_up{arrived->info()});
}

void node::core::part(const std::shared_ptr<peer>& gone, const std::string& why) {
  if (gone->lost()) return;
  peers.erase(gone->info().id);
  gone->lose(why);
  names_changed();
  for (const auto& each : watching_) each.tell(node_down{gone->info(), why});
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
  exports_.emplace(number, exported{any_actor::of(who), {&messages}});
  troupe::internal::watch(who, *new ending(shared_from_this(), number));
  return number;
}

node::core::exported* node::core::find(std::uint64_t number) noexcept {
  const auto known = exports_.find(number);
  return known != exports_.end() ? &known->second : nullptr;
}

void node::core::ended(std::uint64_t number, const exit_reason& why) {
  const auto known = exports_.find(number);
  if (known == exports_.end()) return;
  numbers_.erase(known->second.who.cell());
  exports_.erase(known);
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
  names_[std::move(name)] = number;
  names_changed();
}

void node::core::unpublish(std::string_view name) {
  const auto known = names_.find(name);
  if (known == names_.end()) return;
  names_.erase(known);
  for (const auto& [id, each] : peers) each->send_name(name, 0);
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
  for (const auto& [id, each] : peers) {
    text += "\n  node '" + each->info().name + "' at " +
            (each->info().address.empty() ? "no address" : each->info().address) + ": " +
            std::to_string(each->refs()) + " refs, " + std::to_string(each->asks()) + " asks";
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
  core_->look_for(there);
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
void node::keep(any_actor maker) { core_->factories.push_back(std::move(maker)); }
coro<> node::next_name() { return core_->next_name(); }
std::string node::describe() const { return core_->describe(); }

}  // namespace troupe::cluster
