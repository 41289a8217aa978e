#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/io/internal/udp_core.hpp>
#include <troupe/io/udp.hpp>
#include <troupe/runtime/errors.hpp>

#include <net/if.h>

#include <algorithm>
#include <climits>
#include <stdexcept>
#include <string>

namespace troupe::io {

using internal::address;
using internal::throw_last_error;
namespace sockets = internal::sockets;

namespace {

constexpr std::size_t longest_datagram = 65535;

template <class Value>
void set_option(int socket, int level, int option, const Value& value, const std::string& what) {
  if (sockets::setsockopt(socket, level, option, &value, sizeof value) != 0) throw_last_error(what);
}

void set_buffer(int socket, int option, std::size_t size, const std::string& what) {
  if (size != 0)
    set_option(socket, SOL_SOCKET, option,
               static_cast<int>(std::min<std::size_t>(size, INT_MAX / 2)), what);
}

void expect_room(const udp_options& options) {
  if (options.largest == 0)
    throw std::invalid_argument(
        "the largest datagram of a UDP socket has to be longer than nothing");
}

descriptor new_socket(bool ipv6, const udp_options& options, const std::string& what) {
  expect_room(options);
  descriptor made(sockets::make(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM));
  if (!made) throw_last_error(what);
  const auto switch_on = [&](int level, int option) {
    set_option(made.get(), level, option, 1, what);
  };
  if (options.reuse_address) switch_on(SOL_SOCKET, SO_REUSEADDR);
  if (options.reuse_port) switch_on(SOL_SOCKET, SO_REUSEPORT);
  if (options.broadcast) switch_on(SOL_SOCKET, SO_BROADCAST);
  if (ipv6) switch_on(IPPROTO_IPV6, IPV6_V6ONLY);
  set_buffer(made.get(), SO_RCVBUF, options.receive_buffer, what);
  set_buffer(made.get(), SO_SNDBUF, options.send_buffer, what);
  return made;
}

void connect_to(int socket, const endpoint& peer) {
  const address there(peer);
  if (sockets::connect(socket, there.get(), there.size) != 0)
    throw_last_error("connecting a UDP socket to " + peer.text());
}

unsigned index_of(std::string_view interface) {
  if (interface.empty()) return 0;
  const std::string name(interface);
  const unsigned index = name.find('\0') == std::string::npos ? ::if_nametoindex(name.c_str()) : 0;
  if (index == 0) throw bad_address("no network interface is called '" + name + "'");
  return index;
}

bool is_group(const endpoint& address) noexcept {
  const std::uint8_t first = address.raw()[0];
  return address.is_ipv6() ? first == 0xff : first >= 224 && first < 240;
}

/// Joins or leaves.
void change_membership(int socket, const endpoint& group, std::string_view interface, bool join) {
  if (!is_group(group)) throw bad_address(group.address() + " is no multicast group");
  const std::string what = (join ? "joining the group " : "leaving the group ") + group.address();
  const unsigned index = interface.empty() ? group.scope() : index_of(interface);
  const address given(group);
  if (group.is_ipv6()) {
    ipv6_mreq wanted{};
    wanted.ipv6mr_multiaddr = reinterpret_cast<const sockaddr_in6&>(given.storage).sin6_addr;
    wanted.ipv6mr_interface = index;
    set_option(socket, IPPROTO_IPV6, join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP, wanted,
               what);
  } else {
    ip_mreqn wanted{};
    wanted.imr_multiaddr = reinterpret_cast<const sockaddr_in&>(given.storage).sin_addr;
    wanted.imr_ifindex = static_cast<int>(index);
    set_option(socket, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, wanted, what);
  }
}

void expect_hops(int hops, int least) {
  if (hops < least || hops > 255)
    throw std::invalid_argument("a datagram crosses between " + std::to_string(least) +
                                " and 255 networks, not " + std::to_string(hops));
}

}  // namespace

udp_socket::udp_socket(descriptor owned, const udp_options& options, bool ipv6)
    : core_(std::make_unique<internal::udp_core>(
          std::move(owned), std::min(options.largest, longest_datagram), ipv6)) {}

udp_socket::udp_socket(const endpoint& local, const udp_options& options)
    : udp_socket(new_socket(local.is_ipv6(), options, "a UDP socket on " + local.text()), options,
                 local.is_ipv6()) {
  const address wanted(local);
  if (sockets::bind(native(), wanted.get(), wanted.size) != 0)
    throw_last_error("a UDP socket on " + local.text());
}

udp_socket udp_socket::connected(const endpoint& peer, const udp_options& options) {
  udp_socket made(new_socket(peer.is_ipv6(), options, "a UDP socket to " + peer.text()), options,
                  peer.is_ipv6());
  made.connect(peer);
  return made;
}

udp_socket udp_socket::adopt(descriptor owned, const udp_options& options) {
  int type = 0;
  socklen_t size = sizeof type;
  if (sockets::getsockopt(owned.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      type != SOCK_DGRAM)
    throw std::invalid_argument("descriptor " + std::to_string(owned.get()) +
                                " is no socket of datagrams");
  expect_room(options);
  address found;
  if (sockets::getsockname(owned.get(), found.get(), &found.size) != 0)
    throw_last_error("an adopted UDP socket");
  udp_socket made(std::move(owned), options, found.storage.ss_family == AF_INET6);
  address there;
  if (sockets::getpeername(made.native(), there.get(), &there.size) == 0)
    made.core().peer = internal::endpoint_of(there);
  return made;
}

udp_socket::udp_socket(udp_socket&&) noexcept = default;
udp_socket& udp_socket::operator=(udp_socket&&) noexcept = default;
udp_socket::~udp_socket() = default;

void udp_socket::connect(const endpoint& peer) {
  core().expect_open();
  if (peer.is_ipv6() != core().ipv6)
    throw std::system_error(std::make_error_code(std::errc::address_family_not_supported),
                            "connecting a UDP socket to " + peer.text());
  connect_to(native(), peer);
  core().peer = peer;
}

endpoint udp_socket::local() const {
  core().expect_open();
  address found;
  if (sockets::getsockname(native(), found.get(), &found.size) != 0)
    throw_last_error("the local address of a UDP socket");
  return internal::endpoint_of(found);
}

std::optional<endpoint> udp_socket::peer() const { return core().peer; }

void udp_socket::join(const endpoint& group, std::string_view interface) {
  core().expect_open();
  change_membership(native(), group, interface, true);
}
void udp_socket::leave(const endpoint& group, std::string_view interface) {
  core().expect_open();
  change_membership(native(), group, interface, false);
}

void udp_socket::set_multicast_interface(std::string_view interface) {
  core().expect_open();
  const unsigned index = index_of(interface);
  const std::string what = "setting the interface for datagrams to groups";
  if (core().ipv6)
    return set_option(native(), IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index), what);
  ip_mreqn wanted{};
  wanted.imr_ifindex = static_cast<int>(index);
  set_option(native(), IPPROTO_IP, IP_MULTICAST_IF, wanted, what);
}

void udp_socket::set_multicast_ttl(int hops) {
  core().expect_open();
  expect_hops(hops, 0);
  const bool ipv6 = core().ipv6;
  set_option(native(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
             ipv6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, hops,
             "setting how far datagrams to groups go");
}

void udp_socket::set_multicast_loopback(bool on) {
  core().expect_open();
  const bool ipv6 = core().ipv6;
  set_option(native(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
             ipv6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP, on ? 1 : 0,
             "setting whether this machine gets its own datagrams to groups");
}

void udp_socket::set_ttl(int hops) {
  core().expect_open();
  expect_hops(hops, 1);
  const bool ipv6 = core().ipv6;
  set_option(native(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_UNICAST_HOPS : IP_TTL, hops,
             "setting how far datagrams go");
}

void udp_socket::set_broadcast(bool on) {
  core().expect_open();
  set_option(native(), SOL_SOCKET, SO_BROADCAST, on ? 1 : 0,
             "setting whether a UDP socket may broadcast");
}

void udp_socket::close() noexcept { core().close(false); }
bool udp_socket::is_closed() const noexcept { return core().wire.closed(); }
std::uint64_t udp_socket::dropped() const noexcept { return core().wire.dropped(); }
int udp_socket::native() const noexcept { return core().wire.native(); }
std::size_t udp_socket::largest() const noexcept { return core().wire.largest(); }

descriptor udp_socket::release() {
  core().expect_open();
  descriptor given = core().wire.release();
  if (!given) throw invalid_state("a UDP socket that tasks have waited for stays with its loop");
  return given;
}

}  // namespace troupe::io
