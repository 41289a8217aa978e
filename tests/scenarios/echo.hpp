#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <cstddef>
#include <utility>

namespace troupe::testing {

/// An owner that sends back what comes, as the example does, and ends with its connection.
class echo : public actor<io::connection_events> {
 public:
  explicit echo(io::socket connected, std::size_t credit = 64 << 10, place where = place::here)
      : connection_(spawn<io::tcp_connection>(where, std::move(connected), self())),
        credit_(credit) {}
  void on_start() { connection_.tell(io::demand{credit_}); }
  void on(io::data d) { connection_.tell(io::write(std::move(d.chunk))); }
  void on(io::drained d) { connection_.tell(io::demand{d.bytes}); }
  void on(io::end_of_data) { connection_.tell(io::close{}); }
  void on(io::closed) { stop(); }

 private:
  connection_ref connection_;
  std::size_t credit_;
};

}  // namespace troupe::testing
