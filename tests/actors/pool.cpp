// Pools: workers that share the messages of one actor.
#include <troupe/actors/pool.hpp>
#include <troupe/actors/reply_to.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct job {  // takes a second
  using reply = int;
  int number;
};
struct errand {
  int number;
};
struct crash {
  using reply = int;
};
struct leave {
  using reply = int;
};
struct put_off {
  using reply = int;
};
struct finish {};
using working = protocol<job, errand, crash, leave, put_off, finish>;

/// What the workers of one test share.
struct workshop {
  journal into;
  int alive = 0;
  int active = 0;
  int most_active = 0;
  int to_throw = 0;  ///< constructors that are to throw
  std::optional<any_actor> last;
};

class worker : public actor<working> {
 public:
  explicit worker(workshop& at) : at_(at) {
    if (at_.to_throw > 0) {
      --at_.to_throw;
      throw std::runtime_error("no tools");
    }
    ++at_.alive;
    at_.last = self();
  }
  ~worker() { --at_.alive; }
  coro<int> on(job j) {
    at_.most_active = std::max(at_.most_active, ++at_.active);
    at_.into.push_back("job " + std::to_string(j.number));
    struct end {
      ~end() { --at.active; }
      workshop& at;
    };
    const end at_the_end{at_};
    co_await sleep(1s);
    co_return j.number;
  }
  void on(errand e) { at_.into.push_back("errand " + std::to_string(e.number)); }
  int on(crash) { throw std::runtime_error("broken"); }
  int on(leave) {
    stop();
    return 1;
  }
  void on(put_off, reply_to<int> reply) { kept_.push_back(std::move(reply)); }
  void on(finish) {
    for (auto& each : kept_) each.answer(7);
    kept_.clear();
  }

 private:
  workshop& at_;
  std::vector<reply_to<int>> kept_;
};

/// Has room for one message.
struct narrow : actor<protocol<job>> {
  static constexpr mailbox_options mailbox{.capacity = 1, .when_full = overflow::drop_oldest};
  int on(job j) { return j.number; }
};

/// Runs `body` on a workshop, which it returns; failures are expected.
workshop play(coro<> (*body)(workshop&)) {
  workshop at;
  failure_log log;
  testing::run(body(at), &log);
  return at;
}

actor_ref<working> spawn_pool(workshop& at, pool_options options) {
  return spawn<pool<worker>>(options, std::ref(at));
}

std::string first_words(std::string text, const char* end) {
  return text.substr(0, text.find(end));
}

}  // namespace

TEST_CASE("a pool has as many messages handled at a time as it may have workers") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 3});
    std::vector<future<int>> answers;
    for (int number = 0; number < 10; ++number) answers.push_back(front.ask(job{number}, infinite));
    const time_point begun = loop::current()->time();
    int sum = 0;
    for (auto& each : answers) sum += co_await each;
    if (sum != 45) shop.into.push_back("wrong answers");
    if (loop::current()->time() - begun != 4s) shop.into.push_back("another time");
  });
  CHECK(at.most_active == 3);
  CHECK(at.into == journal{"job 0", "job 1", "job 2", "job 3", "job 4", "job 5", "job 6", "job 7",
                           "job 8", "job 9"});
}

TEST_CASE("a pool grows while messages wait, and shrinks when workers have nothing to do") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.least = 1, .most = 4, .idle_time = 10s});
    const auto count = [&] { shop.into.push_back(std::to_string(shop.alive) + " alive"); };
    count();
    for (int number = 0; number < 3; ++number) front.tell(job{number});
    co_await settle();
    count();
    co_await sleep(6s);
    front.tell(job{3});  // one of them has not been idle for that long
    co_await sleep(6s);
    count();
    co_await sleep(20s);
    count();
  });
  CHECK(at.into ==
        journal{"1 alive", "job 0", "job 1", "job 2", "3 alive", "job 3", "1 alive", "1 alive"});
}

TEST_CASE("a pool may have no worker until there is something to do") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.least = 0, .most = 2, .idle_time = 1s});
    shop.into.push_back(std::to_string(shop.alive));
    const int answer = co_await front.ask(job{5});
    shop.into.push_back(std::to_string(answer) + " by " + std::to_string(shop.alive));
    co_await sleep(2s);
    shop.into.push_back(std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"0", "job 5", "5 by 1", "0"});
}

TEST_CASE("messages of a pool that has one worker are handled in order, told or asked") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    front.tell(errand{1});
    front.tell(job{2});
    front.tell(errand{3});
    const int last = co_await front.ask(job{4});
    shop.into.push_back(std::to_string(last));
  });
  CHECK(at.into == journal{"errand 1", "job 2", "errand 3", "job 4", "4"});
}

TEST_CASE("a worker that crashes is replaced, and only who asked it hears of that") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto failing = front.ask(crash{});
    auto waits = front.ask(job{1});
    auto fails_too = front.ask(crash{});
    for (auto* each : {&failing, &waits, &fails_too}) {
      const std::string how = co_await ending(std::move(*each));
      shop.into.push_back(how);
    }
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive) + " alive");
  });
  CHECK(at.into == journal{"error: broken", "job 1", "1", "error: broken", "1 alive"});
}

TEST_CASE("a worker that is killed while it works fails its ask, and is replaced") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto first = front.ask(job{1});
    auto second = front.ask(job{2});
    co_await settle();
    shop.last->kill();
    const std::string how = co_await ending(std::move(first));
    shop.into.push_back(first_words(how, ":"));
    const int answer = co_await second;
    shop.into.push_back(std::to_string(answer));
    shop.last->kill();  // idle now
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive) + " alive");
  });
  CHECK(at.into == journal{"job 1", "dead", "job 2", "2", "1 alive"});
}

TEST_CASE("a worker that stops itself is replaced as often as it likes") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1, .failures = 2});
    std::vector<future<int>> answers;
    for (int times = 0; times < 20; ++times) answers.push_back(front.ask(leave{}));
    int answered = 0;
    for (auto& each : answers) answered += co_await each;
    shop.into.push_back(std::to_string(answered));
  });
  CHECK(at.into == journal{"20"});
}

TEST_CASE("a pool whose workers fail too often crashes, and refuses what waits") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1, .failures = 2, .within = 10s});
    std::vector<future<int>> failing;
    for (int times = 0; times < 3; ++times) failing.push_back(front.ask(crash{}));
    auto waits = front.ask(job{1});
    for (auto& each : failing) {
      const std::string how = co_await ending(std::move(each));
      shop.into.push_back(how);
    }
    const std::string how = co_await ending(std::move(waits));
    shop.into.push_back(first_words(how, ":"));
    auto end = front.stopped();
    const exit_reason why = co_await end;
    const std::string text = why.text();
    shop.into.push_back(text.find("pool_gave_up") != std::string::npos &&
                                text.find("gives up: 3 workers have failed within") !=
                                    std::string::npos
                            ? "gave up"
                            : text);
  });
  CHECK(at.into == journal{"error: broken", "error: broken", "error: broken", "dead", "gave up"});
  CHECK(at.alive == 0);
}

TEST_CASE("failures of long ago are forgotten") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1, .failures = 1, .within = 10s});
    for (int times = 0; times < 5; ++times) {
      auto failing = front.ask(crash{});
      const std::string how = co_await ending(std::move(failing));
      shop.into.push_back(how);
      co_await sleep(11s);
    }
  });
  CHECK(at.into == journal(5, "error: broken"));
}

TEST_CASE("what waits for a worker fills the mailbox of the pool") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front =
        spawn<pool<worker>>({.mailbox = {.capacity = 1}}, pool_options{.most = 1}, std::ref(shop));
    co_await settle();
    auto first = front.ask(job{1});
    co_await settle();
    auto second = front.ask(job{2});  // the pool has it in hand
    co_await settle();
    auto third = front.ask(job{3});
    auto fourth = front.ask(job{4});
    const std::string how = co_await ending(std::move(fourth));
    shop.into.push_back(how.find("has no room for") != std::string::npos ? "full" : how);
    co_await third;
  });
  CHECK(at.into == journal{"job 1", "full", "job 2", "job 3"});
}

TEST_CASE("a pool slows down who sends, down to what its workers can do") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn<pool<worker>>({.mailbox = {.capacity = 2, .when_full = overflow::suspend}},
                                     pool_options{.most = 2}, std::ref(shop));
    co_await settle();
    const time_point begun = loop::current()->time();
    for (int number = 0; number < 9; ++number) co_await front.send(job{number});
    // Two are worked on, one is in the pool's hand, two wait: for the ninth, four had to be done.
    shop.into = {std::to_string((loop::current()->time() - begun) / 1s) + " s"};
    co_await sleep(10s);
  });
  CHECK(at.into == journal{"2 s", "job 6", "job 7", "job 8"});
}

TEST_CASE("limits of a worker's mailbox pass over what the pool puts there") {
  int sum = 0;
  auto body = [](int& into) -> coro<> {
    auto front = spawn<pool<narrow>>(pool_options{.most = 2});
    std::vector<future<int>> answers;
    for (int number = 0; number < 10; ++number) answers.push_back(front.ask(job{number}));
    for (auto& each : answers) into += co_await each;
  };
  testing::run(body(sum));
  CHECK(sum == 45);
}

TEST_CASE("a pool that is to drain first hands out all that waits") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    for (int number = 0; number < 3; ++number) front.tell(job{number});
    front.stop_when_drained();
    auto end = front.stopped();
    const exit_reason why = co_await end;
    shop.into.push_back(why.text());
  });
  CHECK(at.into == journal{"job 0", "job 1", "job 2", "stopped"});
}

TEST_CASE("requests that nobody waits for any more are left out") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    front.tell(job{1});
    auto impatient = front.ask(job{2}, 500ms);
    auto changed_mind = front.ask(job{3});
    auto last = front.ask(job{4});
    co_await settle();
    changed_mind.cancel();
    const std::string how = co_await ending(std::move(impatient));
    shop.into.push_back(first_words(how, ":"));
    co_await last;
  });
  CHECK(at.into == journal{"job 1", "timeout", "job 4"});
}

TEST_CASE("a pool whose first workers cannot be made is not spawned") {
  const workshop at = play([](workshop& shop) -> coro<> {
    shop.to_throw = 1;
    try {
      spawn_pool(shop, {.least = 2});
    } catch (const std::runtime_error& error) {
      shop.into.push_back(error.what());
    }
    for (const pool_options wrong :
         {pool_options{.least = 0, .most = 0}, {.least = 3, .most = 2}}) {
      try {
        spawn_pool(shop, wrong);
      } catch (const std::invalid_argument&) {
        shop.into.push_back("invalid");
      }
    }
    co_return;
  });
  CHECK(at.into == journal{"no tools", "invalid", "invalid"});
}

TEST_CASE("a worker that cannot be made is tried again a little later") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.least = 0, .most = 2});
    shop.to_throw = 3;
    const time_point begun = loop::current()->time();
    const int answer = co_await front.ask(job{1});
    const bool in_time = loop::current()->time() - begun == 1300ms;
    shop.into.push_back(std::to_string(answer) + (in_time ? " in time" : ""));
    shop.to_throw = 100;
    shop.last->kill();
    auto never = front.ask(job{2}, infinite);
    const std::string how = co_await ending(std::move(never));
    shop.into.push_back(first_words(how, ":"));
  });
  CHECK(at.into == journal{"job 1", "1 in time", "dead"});
}

TEST_CASE("a worker that crashes before it has started takes no message with it") {
  static int starts_to_fail;
  struct late : actor<protocol<job>> {
    coro<> on_start() {
      co_await sleep(1s);
      if (starts_to_fail-- > 0) throw std::runtime_error("late");
    }
    int on(job j) { return j.number; }
  };
  starts_to_fail = 2;
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn<pool<late>>(pool_options{.most = 3});
    const time_point begun = loop::current()->time();
    const int answer = co_await front.ask(job{1}, infinite);
    const duration took = loop::current()->time() - begun;
    shop.into.push_back(std::to_string(answer));
    if (took != 3200ms) shop.into.push_back("another time");
  });
  CHECK(at.into == journal{"1"});
}

TEST_CASE("a pool that stops lets its workers end, and refuses what waits") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto in_hand = front.ask(job{1});
    auto waits = front.ask(job{2});
    front.tell(errand{3});
    co_await settle();
    front.stop();
    for (auto* each : {&in_hand, &waits}) {
      const std::string how = co_await ending(std::move(*each));
      shop.into.push_back(first_words(how, ":"));
    }
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"job 1", "dead", "dead", "0"});
}

TEST_CASE("a pool may be killed, and left to the end of the run, with messages that wait") {
  for (const bool kill : {true, false}) {
    workshop at;
    auto body = [](workshop& shop, bool killed) -> coro<> {
      auto front = spawn_pool(shop, {.least = 2, .most = 2});
      for (int number = 0; number < 5; ++number) {
        front.tell(job{number});
        static_cast<void>(front.ask(job{number}));
      }
      co_await settle();
      if (killed) front.kill();
    };
    testing::run(body(at, kill));
    CHECK(at.into == journal{"job 0", "job 0"});
    CHECK(at.alive == 0);
  }
}

TEST_CASE("a worker that puts off its answer gets more messages meanwhile") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto first = front.ask(put_off{});
    auto second = front.ask(put_off{});
    front.tell(finish{});
    const int one = co_await first;
    const int other = co_await second;
    shop.into.push_back(std::to_string(one + other));
  });
  CHECK(at.into == journal{"14"});
}

TEST_CASE("a pool is a child like any other") {
  struct go {
    using reply = int;
  };
  struct manager : actor<protocol<go>> {
    explicit manager(workshop& shop)
        : front(spawn<pool<worker>>({.name = "team"}, pool_options{.most = 2}, std::ref(shop))) {}
    coro<int> on(go) {
      const int answer = co_await front.ask(job{3});
      co_return answer;
    }
    actor_ref<working> front;
  };
  const workshop at = play([](workshop& shop) -> coro<> {
    auto top = spawn<manager>(std::ref(shop));
    const int answer = co_await top.ask(go{});
    shop.into.push_back(std::to_string(answer));
    top.stop();
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"job 3", "3", "0"});
}

TEST_CASE("a pool that is supervised starts again with new workers, and keeps what waits") {
  struct manager : actor<protocol<finish>> {
    manager(workshop& shop, actor_ref<working>& front) {
      front = supervise<pool<worker>>({}, pool_options{.most = 1, .failures = 0}, std::ref(shop));
    }
    void on(finish) {}
  };
  const workshop at = play([](workshop& shop) -> coro<> {
    actor_ref<working> front;
    spawn<manager>(std::ref(shop), std::ref(front));
    auto failing = front.ask(crash{});  // one failure is too many
    const std::string how = co_await ending(std::move(failing));
    shop.into.push_back(how);
    front.tell(job{1});
    const int answer = co_await front.ask(job{2});
    shop.into.push_back(std::to_string(answer) + " by " + std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"error: broken", "job 1", "job 2", "2 by 1"});
}
