// The system's calls on sockets of the simulated network.
#include <troupe/io/internal/address.hpp>
#include <troupe/io/testing/internal/simulated_network.hpp>
#include <troupe/io/testing/internal/virtual_tcp.hpp>
#include <troupe/io/testing/internal/virtual_udp.hpp>

#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

namespace troupe::testing::internal {

namespace {

using io::internal::address;

/// Errors: says EAFNOSUPPORT, and returns none, for another family.
std::optional<io::endpoint> endpoint_in(const sockaddr* where, socklen_t size) noexcept {
  address found;
  found.size = std::min<socklen_t>(size, sizeof found.storage);
  std::memcpy(found.get(), where, found.size);
  if (found.is_ip()) return found.to_endpoint();
  errno = EAFNOSUPPORT;
  return std::nullopt;
}

void put(const io::endpoint& what, sockaddr* into, socklen_t* size) noexcept {
  const address made(what);
  std::memcpy(into, made.get(), std::min(*size, made.size));
  *size = made.size;
}

template <class Value>
int answer(const Value& found, void* value, socklen_t* size) noexcept {
  *size = static_cast<socklen_t>(std::min<std::size_t>(*size, sizeof found));
  std::memcpy(value, &found, *size);
  return 0;
}

}  // namespace

virtual_socket* simulated_network::find(int number) const noexcept {
  const auto index = static_cast<std::size_t>(number - first_number_);
  return index < sockets_.size() ? sockets_[index].get() : nullptr;
}

// --- as the outside of the simulation ---------------------------------------------------------------------------------

void simulated_network::watch(int descriptor, troupe::internal::poller::listener& told,
                              std::uint32_t events) {
  virtual_socket* const found = find(descriptor);
  if (found == nullptr || found->watched())
    throw std::system_error(found == nullptr ? EBADF : EEXIST, std::generic_category(),
                            "watching a descriptor");
  found->watch(*loop::current(), told, events);
}

void simulated_network::forget(int descriptor) noexcept {
  if (virtual_socket* const found = find(descriptor)) found->forget();
}

// --- making and ending ------------------------------------------------------------------------------------------------

int simulated_network::make(int family, int type) {
  touched();
  if (family != AF_INET && family != AF_INET6) return refuse(EAFNOSUPPORT);
  const bool ipv6 = family == AF_INET6;
  if (type == SOCK_STREAM) return make_connection(machine_here(), ipv6).number();
  if (type != SOCK_DGRAM) return refuse(EPROTONOSUPPORT);
  const int number = first_number_ + static_cast<int>(sockets_.size());
  sockets_.push_back(std::make_unique<virtual_udp>(*this, number, machine_here(), ipv6));
  return number;
}

virtual_tcp& simulated_network::make_connection(std::size_t machine, bool ipv6) {
  const int number = first_number_ + static_cast<int>(sockets_.size());
  auto made = std::make_unique<virtual_tcp>(*this, number, machine, ipv6);
  virtual_tcp& given = *made;
  sockets_.push_back(std::move(made));
  return given;
}

int simulated_network::close(int socket) {
  virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  touched();
  found->close();
  return 0;
}

// --- the others -------------------------------------------------------------------------------------------------------

int simulated_network::bind(int socket, const sockaddr* where, socklen_t size) {
  virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  const std::optional<io::endpoint> wanted = endpoint_in(where, size);
  touched();
  return wanted ? found->bind(*wanted) : -1;
}

int simulated_network::listen(int socket, int backlog) {
  virtual_socket* const found = find(socket);
  touched();
  return found != nullptr ? found->listen(backlog) : refuse(EBADF);
}

int simulated_network::accept(int socket, sockaddr* peer, socklen_t* size) {
  virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  touched();
  virtual_socket* const connected = found->accept();
  if (connected == nullptr) return -1;
  if (peer != nullptr) put(static_cast<virtual_tcp*>(connected)->remote(), peer, size);
  return connected->number();
}

int simulated_network::connect(int socket, const sockaddr* where, socklen_t size) {
  virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  const std::optional<io::endpoint> wanted = endpoint_in(where, size);
  touched();
  return wanted ? found->connect(*wanted) : -1;
}

int simulated_network::shutdown(int socket, int how) {
  virtual_socket* const found = find(socket);
  touched();
  return found != nullptr ? found->shutdown(how) : refuse(EBADF);
}

ssize_t simulated_network::receive(int socket, void* into, std::size_t size, int flags) {
  virtual_socket* const found = find(socket);
  touched();
  return found != nullptr ? found->receive(into, size, flags) : refuse(EBADF);
}

int simulated_network::receive_many(int socket, mmsghdr* headers, unsigned count, int flags) {
  virtual_socket* const found = find(socket);
  touched();
  return found != nullptr ? found->receive_many(headers, count, flags) : refuse(EBADF);
}

ssize_t simulated_network::send(int socket, std::span<const iovec> parts, const sockaddr* to,
                                socklen_t size) {
  virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  touched();
  if (to == nullptr) return found->send(parts, nullptr);
  const std::optional<io::endpoint> there = endpoint_in(to, size);
  return there ? found->send(parts, &*there) : -1;
}

// --- options and names ------------------------------------------------------------------------------------------------

int simulated_network::get_option(int socket, int level, int option, void* value, socklen_t* size) {
  virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  touched();
  if (level != SOL_SOCKET) return refuse(ENOPROTOOPT);
  switch (option) {
    case SO_ERROR:
      return answer(found->take_error(), value, size);
    case SO_TYPE:
      return answer<int>(found->is_stream() ? SOCK_STREAM : SOCK_DGRAM, value, size);
    case SO_ACCEPTCONN:
      return answer<int>(found->listening() ? 1 : 0, value, size);
    case SO_DOMAIN:
      return answer<int>(found->ipv6() ? AF_INET6 : AF_INET, value, size);
    case SO_SNDBUF:
      return answer(static_cast<int>(options_.send_buffer), value, size);
    case SO_RCVBUF:
      return answer(static_cast<int>(options_.receive_buffer), value, size);
    case SO_MEMINFO: {
      std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
      memory[SK_MEMINFO_DROPS] = static_cast<std::uint32_t>(found->dropped());
      return answer(memory, value, size);
    }
    default:
      return refuse(ENOPROTOOPT);
  }
}

int simulated_network::set_option(int socket, int level, int option, const void* value,
                                  socklen_t size) {
  virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  const bool membership = (level == IPPROTO_IP && option == IP_ADD_MEMBERSHIP) ||
                          (level == IPPROTO_IPV6 && option == IPV6_ADD_MEMBERSHIP);
  if (membership) return refuse(EOPNOTSUPP);
  int number = 0;
  std::memcpy(&number, value, std::min<std::size_t>(size, sizeof number));
  if (level != SOL_SOCKET) return 0;  // what it is about makes no difference here
  if (option == SO_REUSEADDR) found->reuses_address = number != 0;
  if (option == SO_REUSEPORT) found->reuses_port = number != 0;
  if (option == SO_LINGER && size == sizeof(linger)) {
    linger wanted{};
    std::memcpy(&wanted, value, sizeof wanted);
    found->resets_on_close = wanted.l_onoff != 0 && wanted.l_linger == 0;
  }
  return 0;
}

int simulated_network::local_name(int socket, sockaddr* into, socklen_t* size) {
  const virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  put(found->local(), into, size);
  return 0;
}

int simulated_network::peer_name(int socket, sockaddr* into, socklen_t* size) {
  const virtual_socket* const found = find(socket);
  if (found == nullptr) return refuse(EBADF);
  if (found->peer() == nullptr) return refuse(ENOTCONN);
  put(*found->peer(), into, size);
  return 0;
}

// --- names of hosts ---------------------------------------------------------------------------------------------------

io::internal::name_answer simulated_network::look_up(const io::internal::name_query& query,
                                                     duration& delay) {
  static const std::map<std::string, std::uint16_t> services = {
      {"domain", 53}, {"http", 80}, {"https", 443}, {"imap", 143}, {"smtp", 25}, {"ssh", 22}};
  io::internal::name_answer found;
  std::uint16_t port = 0;
  if (!query.service.empty()) {
    const auto known = services.find(query.service);
    if (known == services.end()) found.error = io::resolve_errc::unknown_service;
    if (known != services.end()) port = known->second;
  }
  if (found.error) return found;
  if (query.host.empty()) {
    found.found = {with_port({"127.0.0.1", 0}, port)};
    return found;
  }
  delay = options_.name_delay;
  const auto known = names_.find(query.host);
  if (known == names_.end()) {
    found.error = io::resolve_errc::host_not_found;
    return found;
  }
  found.error = known->second.error;
  for (const io::endpoint& each : known->second.addresses) {
    const bool wanted = query.family == io::address_family::any ||
                        each.is_ipv6() == (query.family == io::address_family::ipv6);
    if (wanted) found.found.push_back(with_port(each, port));
  }
  if (!found.error && found.found.empty()) found.error = io::resolve_errc::no_address;
  return found;
}

}  // namespace troupe::testing::internal
