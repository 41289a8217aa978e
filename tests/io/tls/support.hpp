// What tests of TLS share: contexts with certificates made once, and sessions over memory.
#pragma once

#include <troupe/io/memory.hpp>
#include <troupe/io/tls/tls.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/task.hpp>

#include "io/stream_contract.hpp"
#include "support/tls/certificates.hpp"

#include <string>
#include <utility>

namespace troupe::testing::tls {

inline const issued_certificate& authority() {
  static const issued_certificate made =
      issue({.name = "Test Authority", .hosts = "", .authority = true});
  return made;
}
inline const issued_certificate& server_certificate() {
  static const issued_certificate made = issue({.name = "localhost"}, authority());
  return made;
}
inline const issued_certificate& client_certificate() {
  static const issued_certificate made = issue({.name = "a client", .hosts = ""}, authority());
  return made;
}
inline const io::tls_context& server_context() {
  static const io::tls_context made{io::tls_server(server_certificate().identity())};
  return made;
}
inline const io::tls_context& client_context() {
  static const io::tls_context made{io::tls_client().trust(authority().trusted())};
  return made;
}

/// Begins TLS on two streams that lead to each other; the first is the client.
inline coro<streams::ends> secured(io::stream first, io::stream second,
                                   io::tls_context client = client_context(),
                                   io::tls_context server = server_context(),
                                   std::string host = "localhost") {
  auto accepting = create_task(io::accept_tls(std::move(second), std::move(server)));
  auto starting = io::start_tls(std::move(first), std::move(client), std::move(host));
  io::stream one = co_await std::move(starting);
  io::stream other = co_await accepting;
  co_return streams::ends(std::move(one), std::move(other));
}

inline coro<streams::ends> session(io::tls_context client = client_context(),
                                   io::tls_context server = server_context(),
                                   std::size_t capacity = std::size_t{1} << 16) {
  auto two = io::memory_pair(capacity);
  auto securing =
      secured(std::move(two.first), std::move(two.second), std::move(client), std::move(server));
  co_return co_await std::move(securing);
}

/// How a handshake, or another thing that is awaited, ends: the error's code and text.
struct ending {
  std::error_code code;
  std::string text;
};
template <class T>
coro<ending> ending_of(coro<T> awaited) {
  ending found;
  try {
    co_await std::move(awaited);
  } catch (const std::system_error& error) {
    found.code = error.code();
    found.text = error.what();
  }
  co_return found;
}

}  // namespace troupe::testing::tls
