// An actor that is asked while everything is stopped at every place, and what is to hold then. In a namespace of its own,
// for other tests have other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/sleep.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

namespace troupe::testing::addition {

struct add {
  using reply = int;
  int value;
};
struct add_slowly {
  using reply = int;
  int value;
};
using adding = protocol<add, add_slowly>;

class adder : public actor<adding> {
 public:
  explicit adder(int& alive) : alive_(alive), here_(alive) {}
  int on(add m) { return m.value + 1; }
  coro<int> on(add_slowly m) {
    const counted frame(alive_);
    co_await sleep(1ms);
    co_return m.value + 1;
  }

 private:
  int& alive_;
  counted here_;
};

struct stage {
  int alive = 0;  ///< actors and frames of handlers that live
  bool wrong = false;
};

/// What is to hold wherever a play on this stage was stopped.
inline void check_what_is_left(stage& with) {
  CHECK(with.alive == 0);
  CHECK_FALSE(with.wrong);
}

}  // namespace troupe::testing::addition
