#include <troupe/io/endpoint.hpp>

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>

namespace troupe::io {

endpoint::endpoint(std::string_view address, std::uint16_t port) : port_(port) {
  std::string text(address);
  if (text.find('\0') != std::string::npos)
    throw bad_address("an address with a zero byte in it is none");
  if (inet_pton(AF_INET, text.c_str(), raw_.data()) == 1) return;
  if (const std::size_t percent = text.find('%'); percent != std::string::npos) {
    scope_ = if_nametoindex(text.c_str() + percent + 1);
    if (scope_ == 0)
      throw bad_address("no network interface is called '" + text.substr(percent + 1) + "'");
    text.resize(percent);
  }
  if (inet_pton(AF_INET6, text.c_str(), raw_.data()) != 1) {
    throw bad_address("'" + std::string(address) +
                      "' is no IPv4 or IPv6 address (names are not looked up here)");
  }
  ipv6_ = true;
}

endpoint endpoint::parse(std::string_view text) {
  const std::string quoted = "'" + std::string(text) + "'";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    throw bad_address(quoted +
                      " has no port: write ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080");
  }
  std::string_view address = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    throw bad_address(quoted + " ends in no port number between 0 and 65535");
  }
  const bool bracketed = address.size() >= 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string_view::npos) {
    throw bad_address(quoted +
                      " is ambiguous: put an IPv6 address in brackets, such as [::1]:8080");
  }
  endpoint parsed(address, port);
  if (bracketed && !parsed.ipv6_)
    throw bad_address(quoted + " has brackets, but no IPv6 address in them");
  return parsed;
}

bool endpoint::is_loopback() const noexcept {
  if (!ipv6_) return raw_[0] == 127;
  constexpr std::array<std::uint8_t, 16> one = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return raw_ == one;
}

std::string endpoint::address() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(ipv6_ ? AF_INET6 : AF_INET, raw_.data(), text, sizeof text);
  std::string result = text;
  char name[IF_NAMESIZE] = {};
  if (scope_ != 0 && if_indextoname(scope_, name) != nullptr) result += std::string("%") + name;
  return result;
}

std::string endpoint::text() const {
  return (ipv6_ ? "[" + address() + "]" : address()) + ":" + std::to_string(port_);
}

endpoint endpoint::from_raw(const std::uint8_t* address, bool ipv6, std::uint16_t port,
                            std::uint32_t scope) noexcept {
  endpoint made;
  std::copy_n(address, ipv6 ? 16 : 4, made.raw_.begin());
  made.ipv6_ = ipv6;
  made.port_ = port;
  made.scope_ = scope;
  return made;
}

}  // namespace troupe::io
