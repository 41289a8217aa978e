// What an actor keeps for itself when it is restarted: its timers end with the object, what was put aside stays.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/state_machine.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct say {
  explicit say(std::string given) : text(std::move(given)) {}
  std::string text;
};
struct fetch {
  using reply = int;
};
struct fall {};
using speaking = protocol<say, fetch, fall>;

/// The first of its objects puts all aside, those after it handle it.
class clerk : public actor<speaking> {
 public:
  clerk(journal& into, int& starts) : into_(into), first_(starts++ == 0) {
    if (!first_) return;
    start_timer("now", 0s, say("timer"));
    start_timer("t", 1s, say("timer"));
    start_periodic_timer("p", 1s, say("timer"));
    set_idle_timeout(3s);
  }
  void on(say s) {
    if (first_) return stash(std::move(s));
    into_.push_back(s.text);
  }
  void on(fetch f, reply_to<int> reply) {
    if (first_) return stash(f, std::move(reply));
    into_.emplace_back("fetch");
    reply.answer(1);
  }
  coro<> on(fall) {
    co_await sleep(1500ms);  // what the timers send lies in the mailbox
    throw std::runtime_error("fell");
  }
  coro<> on_stop() {
    stash(say("too late"));
    start_timer("late", 0s, say("timer"));
    co_await sleep(1s);
  }
  void on_idle() { into_.emplace_back("idle"); }

 private:
  journal& into_;
  bool first_;
};

template <class A>
struct boss : actor<protocol<>> {
  template <class... Args>
  explicit boss(std::optional<actor_ref<speaking>>& out, Args... args) {
    out = supervise<A>({}, args...);
  }
};

}  // namespace

TEST_CASE("a restarted actor has no timers of the one before, and first what that has put aside") {
  journal into;
  int starts = 0;
  failure_log log;
  auto body = [&]() -> coro<std::uint64_t> {
    std::optional<actor_ref<speaking>> one;
    spawn<boss<clerk>>(std::ref(one), std::ref(into), std::ref(starts));
    one->tell(say("a"));
    auto asked = one->ask(fetch{}, infinite);
    auto withdrawn = one->ask(fetch{}, infinite);
    one->tell(say("b"));
    one->tell(fall{});
    one->tell(say("c"));
    co_await settle();
    withdrawn.cancel();
    into.push_back(co_await ending(std::move(asked)));
    co_await sleep(9s);
    co_return troupe::internal::actor_roots::of_current_loop().dead_letters;
  };
  CHECK(testing::run(body(), &log) == 1);  // "too late"
  CHECK(starts == 2);
  CHECK(into == journal{"a", "fetch", "b", "c", "1"});
}

TROUPE_PROGRAM_TEST_CASE(
    "what a falling actor has put aside is refused when its parent stops it for good") {
  journal into;
  int starts = 0;
  failure_log log;
  auto body = [&]() -> coro<> {
    std::optional<actor_ref<speaking>> one;
    auto parent = spawn<boss<clerk>>(std::ref(one), std::ref(into), std::ref(starts));
    auto asked = one->ask(fetch{}, infinite);
    one->tell(fall{});
    co_await sleep(2s);  // in its on_stop
    parent.stop();
    into.push_back((co_await ending(std::move(asked))).substr(0, 5));
  };
  testing::run(body(), &log);
  CHECK(starts == 1);
  CHECK(into == journal{"dead:"});
}

namespace {

class fresh;
class worn;
/// Falls when it is worn.
class tool : public state_machine<tool, speaking, fresh, worn> {
 public:
  explicit tool(int& given) : alive(given) {}
  int& alive;
};
class fresh : public tool::state {
 public:
  fresh() : here_(machine().alive) {}
  int on(fetch) { return 1; }
  void on(say);

 private:
  counted here_;
};
class worn : public tool::state {
 public:
  worn() : here_(machine().alive) {}
  void on(say s) { stash(std::move(s)); }
  void on(fall) {
    start_state_timer(1ms, say("timer"));
    become<fresh>();
    throw std::runtime_error("fell");
  }

 private:
  counted here_;
};
void fresh::on(say) { become<worn>(); }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a restarted machine begins in its first state") {
  int alive = 0;
  failure_log log;
  auto body = [&]() -> coro<std::string> {
    std::optional<actor_ref<speaking>> one;
    spawn<boss<tool>>(std::ref(one), std::ref(alive));
    for (int times = 0; times < 3; ++times) {
      one->tell(say("wears it"));
      one->tell(fall{});
      co_await settle();
      if (alive != 1) fail("it has another number of states than one");
    }
    co_return co_await ending(one->ask(fetch{}));
  };
  CHECK(testing::run(body(), &log) == "1");
  CHECK(alive == 0);
}
