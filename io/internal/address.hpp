#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/io/unix_endpoint.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <system_error>

namespace troupe::io::internal {

/// An endpoint, of the internet or a Unix socket, as the operating system takes it.
struct address {
  address() noexcept = default;
  explicit address(const endpoint& from) noexcept {
    if (from.is_ipv6()) {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(from.port());
      v6.sin6_scope_id = from.scope();
      std::memcpy(&v6.sin6_addr, from.raw().data(), sizeof v6.sin6_addr);
      size = sizeof v6;
    } else {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(from.port());
      std::memcpy(&v4.sin_addr, from.raw().data(), sizeof v4.sin_addr);
      size = sizeof v4;
    }
  }

  explicit address(const unix_endpoint& from) noexcept {
    auto& local = reinterpret_cast<sockaddr_un&>(storage);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, from.name().data(), from.name().size());
    if (from.is_abstract()) local.sun_path[0] = '\0';
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + from.name().size() +
                                  (from.is_abstract() ? 0 : 1));
  }

  bool is_ip() const noexcept {
    return storage.ss_family == AF_INET || storage.ss_family == AF_INET6;
  }
  /// For people and logs: "127.0.0.1:80", "unix:/path", or "unix" where there is no name.
  std::string text() const {
    if (is_ip()) return to_endpoint().text();
    const char* const path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
    constexpr socklen_t before = offsetof(sockaddr_un, sun_path);
    if (storage.ss_family != AF_UNIX || size <= before) return "unix";
    if (*path == '\0') return "unix:@" + std::string(path + 1, size - before - 1);
    return "unix:" + std::string(path, ::strnlen(path, size - before));
  }

  /// Pre: `is_ip()`.
  endpoint to_endpoint() const noexcept {
    if (storage.ss_family == AF_INET6) {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
      return endpoint::from_raw(reinterpret_cast<const std::uint8_t*>(&v6.sin6_addr), true,
                                ntohs(v6.sin6_port), v6.sin6_scope_id);
    }
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return endpoint::from_raw(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), false,
                              ntohs(v4.sin_port), 0);
  }

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
};

inline std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

/// Errors: always; std::system_error saying what was attempted and where.
[[noreturn]] inline void throw_last_error(const std::string& what) {
  throw std::system_error(last_error(), what);
}

}  // namespace troupe::io::internal
