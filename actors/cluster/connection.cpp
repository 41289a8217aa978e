#include <troupe/actors/cluster/internal/node_core.hpp>

#include <troupe/actors/internal/in_seconds.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/timeout.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

// Connections of a node: how they begin, what reads, writes and watches one, and what is told when one is made or lost.

namespace troupe::cluster {

using internal::least_longest;
using internal::longest_name;
using internal::peer;

namespace {

constexpr std::uint32_t magic = 0x70757274;  // "trup"
constexpr std::uint8_t version = 1;
constexpr std::size_t longest_hello = 4096;
bool is_unspecified(const io::endpoint& at) { return at.raw() == std::array<std::uint8_t, 16>{}; }

}  // namespace

// --- greetings --------------------------------------------------------------------------------------------------------

coro<> node::core::serve(io::stream wire) {
  std::string who = wire.peer_name();
  // Its port is another each time.
  if (const std::size_t colon = who.rfind(':'); colon != std::string::npos) who.resize(colon);
  std::exception_ptr why;
  try {
    if (options_.secure_accepted) {
      auto securing = options_.secure_accepted(std::move(wire));
      wire = co_await timeout(options_.handshake, std::move(securing));
    }
    auto talking = talk(std::move(wire), false);
    co_await std::move(talking);
  } catch (const std::exception&) {
    why = std::current_exception();
  }
  if (why != nullptr) failed("somebody at " + who, why, !internal::is_of_the_network(why));
}

io::bytes node::core::preamble() {
  writer to;
  to.number(magic);
  to.number(version);
  return to.take();
}

io::bytes node::core::hello() const {
  writer to;
  to.number(std::uint32_t{0});
  to.number(static_cast<std::uint8_t>(internal::frame::hello));
  to.number(info_.id.bits[0]);
  to.number(info_.id.bits[1]);
  to.text(info_.name);
  to.text(info_.address);
  to.number(static_cast<std::uint64_t>(options_.longest_message));
  to.number_at(0, static_cast<std::uint32_t>(to.size() - sizeof(std::uint32_t)));
  return to.take();
}

coro<io::bytes> node::core::read_hello(io::stream& wire) {
  const io::bytes first = co_await wire.read_exactly(sizeof magic);
  if (reader(first.span()).number<std::uint32_t>() != magic)
    reader::refuse("it does not speak as a node does");
  const io::bytes spoken = co_await wire.read_exactly(sizeof version);
  if (const auto theirs = reader(spoken.span()).number<std::uint8_t>(); theirs != version)
    throw malformed("it speaks version " + std::to_string(theirs) +
                    " of the protocol, and this node version " + std::to_string(version));
  const io::bytes head = co_await wire.read_exactly(sizeof(std::uint32_t));
  const auto size = reader(head.span()).number<std::uint32_t>();
  if (size > longest_hello) reader::refuse("a greeting that is too long");
  co_return co_await wire.read_exactly(size);
}

node::core::greeting node::core::understood(const io::bytes& hello, const std::string& seen_at) {
  reader from(hello.span());
  if (from.number<std::uint8_t>() != static_cast<std::uint8_t>(internal::frame::hello))
    reader::refuse("a node that does not greet");
  greeting heard;
  node_info& found = heard.who;
  found.id.bits[0] = from.number<std::uint64_t>();
  found.id.bits[1] = from.number<std::uint64_t>();
  found.name = from.name(longest_name);
  found.address = from.name(longest_name);
  if (found.name.empty()) reader::refuse("a node without a name");
  heard.longest = from.number<std::uint64_t>();
  if (heard.longest < least_longest) reader::refuse("a node that takes hardly anything");
  try {  // it listens at all addresses that it has: this one is known
    const io::endpoint told = io::endpoint::parse(found.address);
    if (is_unspecified(told))
      found.address = io::endpoint(io::endpoint::parse(seen_at).address(), told.port()).text();
  } catch (const io::bad_address&) {
  }
  return heard;
}

coro<std::optional<node_id>> node::core::talk(io::stream wire, bool dialled) {
  const std::string seen_at = wire.peer_name();
  wire.write(preamble());
  if (!dialled) wire.write(hello());
  io::bytes said;
  std::exception_ptr refused;
  try {
    auto reading = read_hello(wire);
    said = co_await timeout(options_.handshake, std::move(reading));
  } catch (const malformed&) {
    refused = std::current_exception();
  }
  if (refused != nullptr) {
    wire.close();  // he is to learn from the preamble what is wrong
    co_await wire.wait_closed();
    std::rethrow_exception(refused);
  }
  const greeting heard = understood(said, seen_at);
  const node_info& who = heard.who;
  // Who has dialled greets only when he has no connection: then one that he has made before is over.
  if (dialled && peers.contains(who.id)) co_return who.id;
  if (dialled) wire.write(hello());
  if (who.id == info_.id || leaving_) co_return who.id;
  const auto known = peers.find(who.id);
  if (known != peers.end()) {
    // Of two connections that were made at once that one stays which the lower has made.
    if (known->second->dialled() && info_.id < who.id) co_return who.id;
    const std::shared_ptr<peer> other = known->second;
    part(other, "another connection takes its place");
  }
  failed(seen_at, nullptr, false);  // no longer
  const auto made = std::make_shared<peer>(*this, who, heard.longest, dialled);
  auto going_on = converse(std::move(wire), made);
  co_await std::move(going_on);
  co_return who.id;
}

coro<> node::core::converse(io::stream wire, std::shared_ptr<peer> with) {
  with->most_unsent = options_.unsent;
  with->most_waiting = options_.waiting;
  with->most_refs = options_.most_refs;
  with->heard = home_.time();
  const std::string& name = with->info().name;
  welcome(with);
  auto writing = create_task(write(wire, with), {.name = "node: write to " + name});
  auto beating = create_task(beat(wire, with), {.name = "node: watch " + name});
  std::string why = "it has closed the connection";
  try {
    co_await read(wire, *with);
  } catch (const std::system_error& error) {
    why = error.what();
  } catch (const std::exception& error) {  // malformed, or no memory
    why = error.what();
    home_.report({"node '" + name + "' is not understood", std::current_exception()});
  } catch (const cancelled&) {
    part(with, "this node leaves");
    writing.cancel();
    beating.cancel();
    throw;
  }
  part(with, why);
  writing.cancel();
  beating.cancel();
  wire.abort();
}

// --- bytes ------------------------------------------------------------------------------------------------------------

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

// --- members ----------------------------------------------------------------------------------------------------------

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

}  // namespace troupe::cluster
