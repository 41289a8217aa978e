#pragma once

#include <troupe/io/listening.hpp>

#include "scenarios/support.hpp"

#include <sys/socket.h>

#include <utility>
#include <vector>

namespace troupe::testing {

/// A listening socket whose backlog is full: the system leaves whoever connects waiting.
class full_port {
 public:
  full_port() {
    io::listening_socket listening(io::endpoint::loopback(0), {.backlog = 0});
    where_ = listening.local();
    listening_ = listening.release();
    // The system lets one or two more in than it was told; the first that waits shows that it is full.
    for (int index = 0; index < 8; ++index) {
      io::descriptor each(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const sockaddr_in address = loopback_address(where_.port());
      ::connect(each.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
      callers_.push_back(std::move(each));
    }
  }
  const io::endpoint& where() const noexcept { return where_; }

 private:
  io::descriptor listening_;
  io::endpoint where_;
  std::vector<io::descriptor> callers_;
};

}  // namespace troupe::testing
