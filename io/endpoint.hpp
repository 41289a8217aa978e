#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe::io {

/// A text that is not an address; the message says what is wrong with it.
struct bad_address : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// An IP address and a port.
class endpoint {
 public:
  endpoint() noexcept = default;  ///< 0.0.0.0:0
  /// `address` is a literal IPv4 or IPv6 address without brackets. Errors: `bad_address`.
  endpoint(std::string_view address, std::uint16_t port);

  /// "127.0.0.1:8080" or "[::1]:8080". Errors: `bad_address`, which says what is wrong.
  static endpoint parse(std::string_view text);
  static endpoint loopback(std::uint16_t port) { return {"127.0.0.1", port}; }

  bool is_ipv6() const noexcept { return ipv6_; }
  /// Whether only this machine can be reached by it: 127.0.0.0/8, or ::1.
  bool is_loopback() const noexcept;
  std::uint16_t port() const noexcept { return port_; }
  /// The address without the port.
  std::string address() const;
  /// As `parse` reads it.
  std::string text() const;

  /// In network byte order; an IPv4 address uses the first four.
  const std::array<std::uint8_t, 16>& raw() const noexcept { return raw_; }
  static endpoint from_raw(const std::uint8_t* address, bool ipv6, std::uint16_t port,
                           std::uint32_t scope) noexcept;
  std::uint32_t scope() const noexcept { return scope_; }

  friend bool operator==(const endpoint&, const endpoint&) = default;

 private:
  std::array<std::uint8_t, 16> raw_{};
  std::uint32_t scope_ = 0;  ///< of a link-local IPv6 address
  std::uint16_t port_ = 0;
  bool ipv6_ = false;
};

}  // namespace troupe::io
