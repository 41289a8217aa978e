// What the scenarios of datagrams share.
#pragma once

#include <troupe/io/udp.hpp>
#include <troupe/runtime/errors.hpp>

#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::testing {

inline const io::endpoint anywhere = io::endpoint::loopback(0);

inline coro<std::string> text_from(io::udp_socket& socket) {
  const io::datagram got = co_await socket.receive();
  co_return std::string(got.content.text());
}

/// How a wait ended: the code of a std::system_error, or the text of another error.
struct wait_end {
  bool well = false;
  std::error_code error;
  std::string text;
};

template <class T>
coro<wait_end> ending_of(coro<T> wait) {
  wait_end result;
  try {
    co_await std::move(wait);
    result.well = true;
  } catch (const std::system_error& error) {
    result.error = error.code();
    result.text = error.what();
  } catch (const invalid_state& error) {
    result.text = error.what();
  }
  co_return result;
}

/// Sends to `to`, or to the peer.
inline coro<> send_text(io::udp_socket& socket, std::string content,
                        std::optional<io::endpoint> to = {}) {
  if (to) {
    co_await socket.send_to(content, *to);
  } else {
    co_await socket.send(content);
  }
}

/// What `attempt` throws, or no error.
template <class Function>
std::system_error error_of(Function attempt) {
  try {
    attempt();
  } catch (const std::system_error& error) {
    return error;
  }
  return std::system_error(std::error_code());
}

/// A port of the loopback where nobody has been a moment ago.
inline io::endpoint deaf_udp_port() { return io::udp_socket(anywhere).local(); }

}  // namespace troupe::testing
