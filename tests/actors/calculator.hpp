// An actor that is asked: it answers at once or later, refuses, or crashes. In a namespace of its own, for other tests
// have other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/sleep.hpp>

#include "actors/helpers.hpp"

#include <memory>
#include <stdexcept>
#include <string>

namespace troupe::testing::calculation {

struct square {
  using reply = int;
  int value;
};
struct square_slowly {
  using reply = int;
  int value;
  duration time = 1s;
};
struct greet {
  using reply = std::string;
};
struct make {
  using reply = std::unique_ptr<int>;
};
struct make_slowly {
  using reply = std::unique_ptr<int>;
};
struct flush {
  using reply = void;
};
struct flush_slowly {
  using reply = void;
};
struct refuse {
  using reply = int;
};
struct refuse_slowly {
  using reply = int;
};
struct crash {
  using reply = int;
};
struct crash_slowly {
  using reply = int;
};
struct handled {
  using reply = int;
};
using calculating = protocol<square, square_slowly, greet, make, make_slowly, flush, flush_slowly,
                             refuse, refuse_slowly, crash, crash_slowly, handled>;

class calculator : public actor<calculating> {
 public:
  int on(square s) {
    ++handled_;
    return s.value * s.value;
  }
  coro<int> on(square_slowly s) {
    ++handled_;
    co_await sleep(s.time);
    co_return s.value* s.value;
  }
  const char* on(greet) { return "hello"; }  // converts to the reply
  std::unique_ptr<int> on(make) { return std::make_unique<int>(1); }
  coro<std::unique_ptr<int>> on(make_slowly) {
    co_await sleep(1s);
    co_return std::make_unique<int>(2);
  }
  void on(flush) { ++handled_; }
  coro<> on(flush_slowly) {
    co_await sleep(1s);
    ++handled_;
  }
  int on(refuse) { throw rejected("not today"); }
  coro<int> on(refuse_slowly) {
    co_await sleep(1s);
    throw rejected("not tomorrow");
  }
  int on(crash) { throw std::runtime_error("boom"); }
  coro<int> on(crash_slowly) {
    co_await sleep(1s);
    throw std::runtime_error("late boom");
  }
  int on(handled) { return handled_; }

 private:
  int handled_ = 0;
};

}  // namespace troupe::testing::calculation
