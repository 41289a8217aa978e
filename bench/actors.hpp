// The actors that the benchmark suite measures and whose instructions are counted: one definition, so that both speak of the
// same programs. They are in an unnamed namespace, as in the .cpp file of a program: g++ inlines what no other file can use.
#pragma once

#include <troupe/troupe.hpp>

#include <cstdint>
#include <utility>

namespace bench {
namespace {

// --- pingpong: two actors, one message in flight ------------------------------------------------

struct ball {};
struct partner_is {
  troupe::actor_ref<troupe::protocol<ball>> partner;
};
struct serve {
  std::int64_t messages;
  troupe::promise<int> done;
};

class player : public troupe::actor<troupe::protocol<ball, partner_is, serve>> {
 public:
  void on(ball) {
    if ((left_ -= 2) <= 0) {
      done_.set_value(0);
    } else {
      partner_.tell(ball{});
    }
  }
  void on(partner_is p) { partner_ = std::move(p.partner); }
  void on(serve s) {
    left_ = s.messages;
    done_ = std::move(s.done);
    partner_.tell(ball{});
  }

 private:
  troupe::actor_ref<troupe::protocol<ball>> partner_;
  std::int64_t left_ = 0;
  troupe::promise<int> done_;
};

class returner : public troupe::actor<troupe::protocol<ball, partner_is>> {
 public:
  void on(ball) { partner_.tell(ball{}); }
  void on(partner_is p) { partner_ = std::move(p.partner); }

 private:
  troupe::actor_ref<troupe::protocol<ball>> partner_;
};

// --- ask: request and answer --------------------------------------------------------------------

struct question {
  using reply = std::int64_t;
  std::int64_t value;
};

class oracle : public troupe::actor<troupe::protocol<question>> {
 public:
  std::int64_t on(question q) { return q.value + 1; }
};

// --- spawn: an actor gets one message and dies --------------------------------------------------

struct die {};

// With eight bytes of state, which `idle` is about.
class mayfly : public troupe::actor<troupe::protocol<die>> {
 public:
  void on(die) { stop(); }

 private:
  [[maybe_unused]] std::int64_t state_ = 0;
};

// --- task: a coroutine that returns at once -----------------------------------------------------

inline troupe::coro<std::int64_t> successor(std::int64_t value) { co_return value + 1; }

}  // namespace
}  // namespace bench
