// The example `two_nodes`, as scenarios use it: a program that counts.
#pragma once

#include <troupe/actors/cluster/node.hpp>
#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/programs.hpp"
#include "scenarios/support.hpp"

#include <string>
#include <utility>

// As in the example: a message is known by its name.
struct count {
  using reply = int;
  int by = 1;
};

namespace troupe::testing {

using counter_protocol = protocol<count>;

class counting {
 public:
  explicit counting(std::string where = "127.0.0.1:0")
      : program_({TROUPE_EXAMPLES "/two_nodes", "serve", std::move(where)}) {}
  coro<io::endpoint> address() {
    co_await program_.until("\n");
    const std::string& line = program_.said();
    REQUIRE(line.starts_with("counting at "));
    co_return io::endpoint::parse(line.substr(12, line.find('\n') - 12));
  }
  real_program& program() { return program_; }

 private:
  real_program program_;
};

/// Its actor, as soon as `here` knows it.
inline coro<actor_ref<counter_protocol>> found(cluster::node& here) {
  auto looked_up = here.lookup<counter_protocol>("counter");
  co_return co_await timeout(std::chrono::seconds(60), std::move(looked_up));
}

}  // namespace troupe::testing
