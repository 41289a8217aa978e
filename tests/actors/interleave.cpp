// Messages that are handled while a coroutine handler waits.
#include <troupe/actors/interleave.hpp>

#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct work_on {
  using reply = int;
  int number;
};
struct note {
  int number;
};
struct status {
  using reply = int;
};
struct peek {
  using reply = int;
  int number;
};
enum class way { stop, crash, throws_later, kill };
struct end_by {
  using reply = int;
  way how;
};
using shop_protocol = protocol<work_on, note, status, peek, end_by>;

/// Works for a second at a time, and can be looked at meanwhile.
class shop : public actor<shop_protocol> {
 public:
  using interleave = messages<status, peek, end_by>;
  explicit shop(journal& into) : into_(into) {}

  coro<int> on(work_on w) {
    into_.push_back("begin " + std::to_string(w.number));
    ++at_work_;
    co_await sleep(1s);
    --at_work_;
    into_.push_back("end " + std::to_string(w.number));
    co_return w.number;
  }
  void on(note n) { into_.push_back("note " + std::to_string(n.number)); }
  int on(status) { return at_work_; }
  coro<int> on(peek p) {
    into_.push_back("peek " + std::to_string(p.number));
    co_await sleep(300ms);
    into_.push_back("peeked " + std::to_string(p.number));
    co_return p.number;
  }
  coro<int> on(end_by e) {
    if (e.how == way::stop) stop();
    if (e.how == way::kill) self().kill();
    if (e.how == way::throws_later) co_await sleep(100ms);
    if (e.how != way::stop && e.how != way::kill) throw std::runtime_error("fire");
    co_return 0;
  }

 private:
  journal& into_;
  int at_work_ = 0;
};

struct ticking : actor<protocol<work_on, status>> {
  using interleave = all_messages;
  coro<int> on(work_on w) {
    most_ = std::max(most_, ++now_);
    co_await sleep(1s);
    --now_;
    co_return w.number;
  }
  int on(status) { return most_; }
  int now_ = 0;
  int most_ = 0;
};

struct slow_start : actor<protocol<status>> {
  using interleave = all_messages;
  coro<> on_start() {
    co_await sleep(1s);
    ready_ = true;
  }
  int on(status) { return ready_ ? 1 : 0; }
  bool ready_ = false;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "an interleaved message is handled while a coroutine handler waits, and the others keep their "
    "order") {
  journal into;
  auto body = [](journal& notes) -> coro<int> {
    auto one = spawn<shop>(std::ref(notes));
    one.tell(work_on{1});
    one.tell(note{1});
    one.tell(work_on{2});
    one.tell(note{2});
    co_await sleep(500ms);
    const int busy = co_await one.ask(status{});
    one.tell(note{3});
    one.tell(peek{1});
    co_await sleep(3s);
    const int idle = co_await one.ask(status{});
    co_return busy * 10 + idle;
  };
  CHECK(testing::run(body(into)) == 10);
  CHECK(into == journal{"begin 1", "peek 1", "peeked 1", "end 1", "note 1", "begin 2", "end 2",
                        "note 2", "note 3"});
}

TEST_CASE("nothing waits for an interleaved handler that is a coroutine") {
  journal into;
  auto body = [](journal& notes) -> coro<> {
    auto one = spawn<shop>(std::ref(notes));
    one.tell(peek{1});
    one.tell(peek{2});
    one.tell(note{1});
    co_await sleep(1s);
  };
  testing::run(body(into));
  CHECK(into == journal{"peek 1", "peek 2", "note 1", "peeked 1", "peeked 2"});
}

TROUPE_PROGRAM_TEST_CASE("a class may let all messages run side by side") {
  auto body = []() -> coro<int> {
    auto one = spawn<ticking>();
    for (int number = 0; number < 5; ++number) one.tell(work_on{number});
    co_await sleep(100ms);
    const int most = co_await one.ask(status{});
    co_return most;
  };
  CHECK(testing::run(body()) == 5);
}

TROUPE_PROGRAM_TEST_CASE("no message is handled before on_start has ended, interleaved or not") {
  auto body = []() -> coro<int> {
    auto one = spawn<slow_start>();
    const int ready = co_await one.ask(status{});
    co_return ready;
  };
  CHECK(testing::run(body()) == 1);
}

TEST_CASE(
    "an actor that ends while several handlers run ends them all, and every ask gets one outcome") {
  for (const way how : {way::stop, way::crash, way::throws_later, way::kill}) {
    CAPTURE(static_cast<int>(how));
    journal into;
    auto body = [](journal& notes, way chosen) -> coro<std::string> {
      auto one = spawn<shop>(std::ref(notes));
      std::vector<future<int>> all;
      all.push_back(one.ask(work_on{1}));
      all.push_back(one.ask(work_on{2}));
      all.push_back(one.ask(peek{1}));
      all.push_back(one.ask(peek{2}));
      co_await settle();
      all.push_back(one.ask(end_by{chosen}));
      one.tell(note{1});
      auto end = one.stopped();
      static_cast<void>(co_await end);
      int dead = 0;
      for (std::size_t index = 0; index < 4; ++index)
        dead += starts_with(co_await ending(all[index]), "dead: ");
      const std::string last = co_await ending(all[4]);
      co_return std::to_string(dead) + " " + last.substr(0, 5);
    };
    const std::string ended = run_quietly(body(into, how));
    const bool crashed = how == way::crash || how == way::throws_later;
    CHECK(ended == (crashed ? "4 error" : "4 0"));
  }
}

TROUPE_PROGRAM_TEST_CASE("an ask of an interleaving actor times out with all that waits counted") {
  journal into;
  auto body = [](journal& notes) -> coro<std::string> {
    auto one = spawn<shop>(std::ref(notes));
    one.tell(work_on{1});
    one.tell(note{1});
    co_await settle();
    auto asked = one.ask(work_on{2}, 100ms);
    std::string how = co_await ending(std::move(asked));
    co_return how;
  };
  CHECK(testing::run(body(into)).find("alive, 2 messages queued, handling") != std::string::npos);
}

TEST_CASE("interleaving actors on two loops answer all they are asked, whatever ends them") {
  auto body = []() -> coro<int> {
    int ended = 0;
    for (int round = 0; round < 50; ++round) {
      auto one = spawn<ticking>(place::on(1));
      journal unused;
      std::vector<future<int>> all;
      for (int each = 0; each < 20; ++each) {
        all.push_back(one.ask(status{}));
        all.push_back(one.ask(work_on{each}));
      }
      if (round % 2 == 0) co_await sleep(0s);
      if (round % 3 == 0) {
        one.kill();
      } else {
        one.stop();
      }
      for (auto& each : all) {
        static_cast<void>(co_await ending(each));
        ++ended;
      }
    }
    co_return ended;
  };
  CHECK(run_on(2, body()) == 2000);
}
