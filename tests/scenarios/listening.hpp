// What the scenarios of listeners share.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace troupe::testing {

/// Keeps what is accepted, and says how many there are.
struct guests {
  std::vector<io::socket> sockets;
  std::size_t count = 0;
  bool keep = true;
};

class host : public actor<io::listener_events> {
 public:
  explicit host(std::shared_ptr<guests> all) : shared_(std::move(all)), all_(*shared_) {}
  void on(io::accepted a) {
    ++all_.count;
    if (all_.keep) all_.sockets.push_back(std::move(a.connected));
  }

 private:
  std::shared_ptr<guests> shared_;
  guests& all_;
};

/// A socket to listen with, and a host who waits for the guests that a listener with this socket will send.
struct reception {
  explicit reception(const io::endpoint& on = io::endpoint::loopback(0)) : listening(on) {}
  reception(const reception&) = delete;
  reception& operator=(const reception&) = delete;

  std::shared_ptr<guests> shared = std::make_shared<guests>();
  guests& all = *shared;
  io::listening_socket listening;
  io::endpoint where = listening.local();
  actor_ref<io::listener_events> owner = spawn<host>(shared);
};

/// What a listening socket on `where` fails with, or no error.
inline std::system_error failure_of_listening(const io::endpoint& where) {
  try {
    io::listening_socket made(where);
  } catch (const std::system_error& error) {
    return error;
  }
  return std::system_error(std::error_code());
}

}  // namespace troupe::testing
