#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/coro.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::io {

/// Why a name gives no address.
enum class resolve_errc {
  host_not_found = 1,   ///< nobody knows the name
  no_address,           ///< it exists, but has no address of the wanted family
  temporary_failure,    ///< the name servers did not answer; later they may
  name_server_failure,  ///< they answered that they cannot
  unknown_service,      ///< no port belongs to the name of the service
  too_many_lookups,     ///< too many names are being looked up already
};

const std::error_category& resolve_category() noexcept;
inline std::error_code make_error_code(resolve_errc error) noexcept {
  return {static_cast<int>(error), resolve_category()};
}

/// A port: its number, or the name of what is spoken there: 443 or "https".
/// Errors: `bad_address` for a number that no port has, and for an empty text.
class service {
 public:
  template <std::integral Number>
  service(Number port)  // NOLINT: a number is a port wherever one is wanted
      : number_(static_cast<std::uint16_t>(port)) {
    if (!std::in_range<std::uint16_t>(port)) refuse(std::to_string(port));
  }
  service(std::string_view name_or_number);  // NOLINT
  service(const std::string& name_or_number) : service(std::string_view(name_or_number)) {}
  service(const char* name_or_number) : service(std::string_view(name_or_number)) {}

  std::uint16_t number() const noexcept { return number_; }
  /// Empty when it was given as a number.
  const std::string& name() const noexcept { return name_; }
  std::string text() const { return name_.empty() ? std::to_string(number_) : name_; }

 private:
  [[noreturn]] static void refuse(const std::string& port);

  std::uint16_t number_ = 0;
  std::string name_;
};

enum class address_family : std::uint8_t { any, ipv4, ipv6 };

struct resolve_options {
  address_family family = address_family::any;
};

/// The addresses of a host, the best first, as the system's resolver has them: its files, its name servers, its order.
///
///     const auto found = co_await io::resolve("example.org", "https");
///
/// An address in digits is given back at once, without suspending. A name is looked up on one of a few threads that its loop has for that.
/// Errors: `bad_address` for what is neither an address nor can be a name; std::system_error that says the name, with a `resolve_errc`,
/// or with the system's error.
/// Cancel: at once; a look-up that has begun goes on, and what it finds is dropped. The end of the loop waits a tenth of a second for
/// such ones, and then leaves their threads to themselves.
/// Threads: on a loop. Cost: of a name, two changes of threads and what the system takes. Eight look-ups go on at a time on a loop; 1024
/// more may wait, then further ones fail with `too_many_lookups`.
coro<std::vector<endpoint>> resolve(std::string host, service port, resolve_options options = {});

}  // namespace troupe::io

template <>
struct std::is_error_code_enum<troupe::io::resolve_errc> : std::true_type {};
