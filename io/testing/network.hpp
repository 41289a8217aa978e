#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/testing/simulation.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace troupe::testing {

namespace internal {
class simulated_network;
}

/// What lies between two addresses, in both directions. Shares are chosen by the oracle, each by itself; none of them by `first_come`.
struct link_options {
  duration latency = duration::zero();  ///< of each packet
  duration jitter = duration::zero();   ///< how much more it may be, in four steps, by choice
  /// The share of packets that is lost, rounded to one in so many. TCP sends them again, later; with 1 no datagram comes, and TCP does: `partition`
  /// stops both.
  double loss = 0;
  double duplication = 0;  ///< the share of datagrams that comes a second time, `late`
  double reordering = 0;   ///< the share of datagrams that comes `late`
};

struct network_options {
  link_options link = {};  ///< between any two addresses, unless `set_link` says otherwise
  /// What a TCP socket keeps of what was written, and of what was not read, in bytes; and a UDP socket of what was not received.
  std::size_t send_buffer = std::size_t{1} << 16;
  std::size_t receive_buffer = std::size_t{1} << 16;
  /// The oracle may have a part of what was sent come first, and a part of what is written be taken.
  bool short_transfers = true;
  /// How many things the oracle may have go wrong in a run: a connection that is reset, refused, or held up for `outage`; a datagram that is lost,
  /// comes late, or a second time.
  std::size_t faults = 0;
  duration outage = std::chrono::seconds(10);
  duration late = std::chrono::milliseconds(5);      ///< after all that was sent meanwhile
  duration resend = std::chrono::milliseconds(200);  ///< when TCP sends again what a link has lost
  duration connect_timeout = std::chrono::seconds(127);  ///< Linux's, as the next
  duration give_up =
      std::chrono::minutes(15);            ///< when TCP gives up a peer of whom nothing is heard
  duration name_delay = duration::zero();  ///< before a name has been looked up
};

/// How much there has been, since the beginning.
struct network_traffic {
  std::uint64_t connections = 0;  ///< established
  std::uint64_t bytes = 0;        ///< read of them
  std::uint64_t resets = 0;       ///< connections reset by choice, and by `reset` and `crash`
  std::uint64_t datagrams = 0;    ///< received
  std::uint64_t lost = 0;         ///< datagrams
  std::uint64_t duplicated = 0;
};

/// The network of a simulation. Programs in it use `open_connection`, `start_server`, `connect`, UDP sockets, TLS and `resolve` unchanged,
/// and what they send goes through here: no descriptor of the system's is made.
///
///     explore({.schedules = 1'000}, [](simulation& world) -> coro<> {
///       network net(world, {.faults = 2});
///       net.name("store.example", {"127.0.0.2"});
///       ...
///     });
///
/// Each packet that arrives is a turn of its own on the loop whose socket it comes to, so the oracle chooses the order of arrival. By itself
/// a packet takes no time. The bytes of a connection stay in their order; datagrams do, unless they are late.
///
/// All loops are one machine, which has the addresses 127.0.0.0/8 and ::1, until `place` makes machines of some. Connections from an
/// unplaced loop to 127.0.0.2 come from 127.0.0.1, as on Linux: so two parts of a program on one loop can be parted, too.
///
/// Life: made before the sockets that are to be in it; it goes on to the end of the simulation, with or without this handle.
/// Threads: that of the simulation.
class network {
 public:
  /// Of the simulation that this thread is in. Errors: `invalid_state` where there is none, or it has a network; std::invalid_argument for
  /// options that make no sense.
  explicit network(const network_options& options = {});
  explicit network(simulation& world, const network_options& options = {});

  /// Makes a loop, by its index, a machine with that address. A second address is added to the first; two loops may share a machine.
  /// Its sockets are made after this. Errors: `bad_address`.
  void place(std::size_t loop, std::string_view address);
  void place(const loop& home, std::string_view address) { place(home.index(), address); }

  /// What `resolve` finds; "localhost" is known. Errors: `bad_address`.
  void name(const std::string& host, const std::vector<std::string>& addresses);
  /// Looking up that name fails from now on: with `resolve_errc::temporary_failure`, say.
  void name_fails(const std::string& host, std::error_code why);

  /// Between these two from now on; and of all links that have no own.
  void set_link(std::string_view one, std::string_view other, const link_options& how);
  void set_links(const link_options& how);

  /// Nothing passes between the two until they are healed. Connections stall, and what was under way arrives afterwards; connecting
  /// times out; datagrams are lost.
  void partition(std::string_view one, std::string_view other);
  /// The same between that one and all others.
  void isolate(std::string_view one);
  void heal(std::string_view one, std::string_view other);
  void heal();

  /// Resets the connections between the two, or all of one, as something on the way might do. Both ends are told.
  void reset(std::string_view one, std::string_view other);
  void reset(std::string_view one);
  /// The program at that address goes: its connections are reset, and connecting is refused until `restart`. Its tasks and actors are the
  /// scenario's to end.
  void crash(std::string_view address);
  void restart(std::string_view address);

  const network_traffic& traffic() const noexcept;

 private:
  std::shared_ptr<internal::simulated_network> core_;
};

}  // namespace troupe::testing
