// What the scenarios of listeners share.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <sys/resource.h>

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

/// The limit of open descriptors, set for as long as this lives.
class descriptor_limit {
 public:
  explicit descriptor_limit(rlim_t soft) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    set(soft);
  }
  ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  descriptor_limit(const descriptor_limit&) = delete;
  descriptor_limit& operator=(const descriptor_limit&) = delete;
  void set(rlim_t soft) const {
    rlimit wanted = before_;
    wanted.rlim_cur = soft;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &wanted) == 0);
  }
  void lift() const { set(before_.rlim_cur); }

 private:
  rlimit before_{};
};

/// Whether this build cannot do without descriptors; then it says so.
inline bool skipped_without_descriptors() {
  if (needs_descriptors_itself) WARN("skipped: this build cannot do without descriptors");
  return needs_descriptors_itself;
}

/// The number of a descriptor that would be opened next.
inline int next_descriptor() {
  const int probe = ::dup(0);
  REQUIRE(probe >= 0);
  ::close(probe);
  return probe;
}

}  // namespace troupe::testing
