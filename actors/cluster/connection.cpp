#include <troupe/actors/cluster/internal/node_core.hpp>

#include <troupe/actors/internal/in_seconds.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/timeout.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

// Connections of a node: how they are looked for and begin, what reads, writes and watches one, and what is told when one is made or lost.

namespace troupe::cluster {

using internal::least_longest;
using internal::longest_name;
using internal::peer;

namespace {

constexpr std::uint32_t magic = 0x70757274;  // "trup"
constexpr std::uint8_t version = 1;
constexpr std::size_t longest_hello = 4096;
// Of those that peers have told of: who has a certificate is believed, but not without end.
constexpr std::size_t most_addresses = 10'000;

}  // namespace

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
