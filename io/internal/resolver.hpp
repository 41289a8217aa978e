#pragma once

#include <troupe/io/resolve.hpp>

#include <string>
#include <system_error>
#include <vector>

// The parts of `resolve`, for it and for tests, which bring a resolver of their own.

namespace troupe::io::internal {

struct name_query {
  std::string host;     ///< empty: only the service is wanted
  std::string service;  ///< empty: the ports are 0
  address_family family;
};

struct name_answer {
  std::error_code error;
  std::vector<endpoint> found;
};

/// Looks up, and blocks meanwhile. Called on a thread of its own.
using name_lookup = name_answer (*)(name_query query);

/// The system's way: getaddrinfo.
name_answer look_up(name_query query);

/// What getaddrinfo's result means; `system_error` is errno.
std::error_code resolve_error(int result, int system_error) noexcept;

inline constexpr std::size_t lookup_threads = 8;
inline constexpr std::size_t most_waiting_lookups = 1024;

/// `resolve` by way of `how`.
coro<std::vector<endpoint>> resolve_with(name_lookup how, std::string host, service port,
                                         resolve_options options);

}  // namespace troupe::io::internal
