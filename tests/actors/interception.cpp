// What is done to messages on their way, and when actors are made to crash.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/process.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/testing/interception.hpp>
#include <troupe/actors/testing/sequence_chart.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace interception_test {

struct word {
  std::string text;
};
struct other {};
struct question {
  using reply = int;
  int asked;
};
struct slow {
  using reply = int;
};
using listening = protocol<word, other, question, slow>;

/// What was heard, and when; survives the actor.
struct notes {
  std::vector<std::string> words;
  std::vector<time_point> times;
  int questions = 0;
  int begun = 0;
  int ended = 0;
  int lives = 0;
  int questions_before_words = 0;

  std::string all() const {
    std::string text;
    for (const std::string& each : words) text += each;
    return text;
  }
};

class listener : public actor<listening> {
 public:
  explicit listener(notes& to) : notes_(to) { ++notes_.lives; }
  void on(word heard) {
    if (notes_.words.empty()) notes_.questions_before_words = notes_.questions;
    notes_.words.push_back(heard.text);
    notes_.times.push_back(now());
  }
  void on(other) {
    notes_.words.push_back("!");
    notes_.times.push_back(now());
  }
  int on(question heard) {
    ++notes_.questions;
    return heard.asked + 1;
  }
  coro<int> on(slow) {
    ++notes_.begun;
    co_await sleep(1s);
    co_await sleep(1s);
    ++notes_.ended;
    co_return 7;
  }

 private:
  static time_point now() { return loop::current()->time(); }
  notes& notes_;
};

struct go {};
class speaker : public actor<protocol<go>> {
 public:
  speaker(actor_ref<listening> to, std::string text) : to_(std::move(to)), text_(std::move(text)) {}
  coro<> on(go) {
    to_.tell(word{text_});
    co_await sleep(1ms);
    to_.tell(word{text_});
  }

 private:
  actor_ref<listening> to_;
  std::string text_;
};

/// In one world, in its natural order.
template <class Body>
void in_world(Body body, std::size_t threads = 1) {
  first_come natural;
  simulation world(natural, {.threads = threads});
  world.run(body());
}

/// What the ask fails with, or nothing.
template <class T>
coro<std::string> failure_of(future<T> answer) {
  try {
    static_cast<void>(co_await std::move(answer));
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "";
}

std::string spoken(const notes& by) { return by.all(); }

struct whom {
  using reply = actor_ref<listening>;
};
/// Has a listener, and starts it again when it falls.
class supervisor : public actor<protocol<whom>> {
 public:
  explicit supervisor(notes& to) {
    supervise_as({.within = 1min, .delay = {.first = 1ms}});
    child_ = supervise<listener>({.name = "child"}, std::ref(to));
  }
  actor_ref<listening> on(whom) { return child_; }

 private:
  actor_ref<listening> child_;
};

}  // namespace interception_test

using namespace interception_test;

TEST_CASE("a rule drops so many messages of a type as it is told, after those it lets pass") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    const rule dropped = rules.each<word>().skip(1).times(2).drop();
    for (const char* each : {"a", "b", "c", "d"}) to.tell(word{each});
    to.tell(other{});
    co_await sleep(1s);
    CHECK(spoken(heard) == "ad!");
    CHECK(dropped.count() == 2);
  });
}

TEST_CASE("a rule may be about who sends, who receives, and what is in the message") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    notes beside;
    auto to = spawn<listener>(std::ref(heard));
    auto other_one = spawn<listener>(std::ref(beside));
    auto ann = spawn<speaker>(to, "a");
    auto bob = spawn<speaker>(to, "b");
    auto cid = spawn<speaker>(other_one, "a");
    rule from = rules.each<word>().from(ann).drop();
    ann.tell(go{});
    bob.tell(go{});
    cid.tell(go{});
    co_await sleep(1s);
    CHECK(spoken(heard) == "bb");
    CHECK(spoken(beside) == "aa");
    CHECK(from.count() == 2);
    from.end();
    static_cast<void>(rules.any().to(other_one).drop());
    static_cast<void>(
        rules.each<word>().where([](const word& each) { return each.text == "b"; }).drop());
    ann.tell(go{});
    bob.tell(go{});
    cid.tell(go{});
    co_await sleep(1s);
    CHECK(spoken(heard) == "bbaa");
    CHECK(spoken(beside) == "aa");
  });
}

TEST_CASE("a delayed message comes later, a delayed sequence in its order") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    static_cast<void>(rules.each<word>().delay(5ms));
    const time_point begun = loop::current()->time();
    to.tell(word{"a"});
    to.tell(word{"b"});
    to.tell(other{});
    co_await sleep(1s);
    CHECK(spoken(heard) == "!ab");
    REQUIRE(heard.times.size() == 3);
    CHECK(heard.times[0] == begun);
    CHECK(heard.times[1] == begun + 5ms);
    CHECK(heard.times[2] == begun + 5ms);
  });
}

TEST_CASE("a delay that is chosen lets messages overtake each other, within its bounds") {
  std::set<std::string> orders;
  static_cast<void>(explore({.schedules = 200}, [&]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    static_cast<void>(rules.each<word>().delay(1ms, 9ms));
    const time_point begun = loop::current()->time();
    for (const char* each : {"a", "b", "c"}) to.tell(word{each});
    co_await sleep(1s);
    orders.insert(spoken(heard));
    for (const time_point each : heard.times) {
      if (each < begun + 1ms || each > begun + 9ms) throw std::runtime_error("out of its bounds");
    }
    if (heard.times.size() != 3) throw std::runtime_error("lost");
  }));
  CHECK(orders.size() == 6);
}

TEST_CASE("a message that is overtaken comes behind the next, or in its time when there is none") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    static_cast<void>(rules.each<word>().times(1).reorder());
    for (const char* each : {"a", "b", "c"}) to.tell(word{each});
    co_await sleep(1ms);
    REQUIRE(heard.words.size() == 3);
    CHECK(heard.words.front() == "b");
    static_cast<void>(rules.each<other>().reorder(3, 1min));
    const time_point begun = loop::current()->time();
    to.tell(other{});
    co_await sleep(2min);
    REQUIRE(heard.words.size() == 4);
    CHECK(heard.times.back() == begun + 1min);
  });
}

TEST_CASE("a message comes twice, a request with one answer") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    static_cast<void>(rules.each<word>().duplicate());
    static_cast<void>(rules.each<question>().duplicate());
    to.tell(word{"a"});
    const int answer = co_await to.ask(question{1});
    co_await sleep(1s);
    CHECK(answer == 2);
    CHECK(heard.questions == 2);
    CHECK(spoken(heard) == "aa");
  });
}

TEST_CASE("a message is changed on its way, and goes on to the rules behind") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    static_cast<void>(rules.each<word>().rewrite([](word& each) { each.text += "x"; }));
    static_cast<void>(
        rules.each<word>().where([](const word& each) { return each.text == "bx"; }).drop());
    to.tell(word{"a"});
    to.tell(word{"b"});
    co_await sleep(1s);
    CHECK(spoken(heard) == "ax");
  });
}

TEST_CASE("who asks, and whose request is dropped, waits until its time limit") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    interception rules;
    static_cast<void>(rules.each<question>().drop());
    const std::string failure = co_await failure_of(to.ask(question{1}, 3s));
    CHECK(failure.find("within 3 s") != std::string::npos);
    CHECK(heard.questions == 0);
  });
}

TEST_CASE("an answer that is dropped leaves the request done, and the asker waiting") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    interception rules;
    static_cast<void>(rules.each<question>().times(1).drop_answer());
    const std::string failure = co_await failure_of(to.ask(question{1}, 3s));
    CHECK(failure.find("within 3 s") != std::string::npos);
    CHECK(heard.questions == 1);
    const int again = co_await to.ask(question{2}, 3s);
    CHECK(again == 3);
  });
}

TEST_CASE("an answer that is delayed comes later, if it is not too late") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    interception rules;
    static_cast<void>(rules.each<question>().delay_answer(2s));
    const time_point begun = loop::current()->time();
    const int answer = co_await to.ask(question{1}, 3s);
    CHECK(answer == 2);
    CHECK(loop::current()->time() == begun + 2s);
    const std::string failure = co_await failure_of(to.ask(question{1}, 1s));
    CHECK(failure.find("within 1 s") != std::string::npos);
    CHECK(heard.questions == 2);
    co_await sleep(10s);
  });
}

TEST_CASE("what waits for nothing fails when the interception ends, what is delayed comes then") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    std::vector<future<int>> asked;
    {
      interception rules;
      static_cast<void>(rules.each<question>().times(1).drop());
      static_cast<void>(rules.each<question>().times(1).drop_answer());
      static_cast<void>(rules.each<question>().delay_answer(1h));
      static_cast<void>(rules.each<word>().delay(1h));
      for (const int each : {1, 2, 3}) asked.push_back(to.ask(question{each}, infinite));
      to.tell(word{"a"});
      co_await sleep(1s);
      CHECK(spoken(heard).empty());
      CHECK_FALSE(asked[2].done());
    }
    const time_point begun = loop::current()->time();
    const std::string first = co_await failure_of(std::move(asked[0]));
    const std::string second = co_await failure_of(std::move(asked[1]));
    const int third = co_await asked[2];
    CHECK(first.find("without an answer") != std::string::npos);
    CHECK(second.find("without an answer") != std::string::npos);
    CHECK(third == 4);
    co_await sleep(1s);
    CHECK(spoken(heard) == "a");
    REQUIRE(heard.times.size() == 1);
    CHECK(heard.times[0] == begun);
  });
}

TEST_CASE("a partition loses what crosses it, both ways, until it ends") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    notes beside;
    auto to = spawn<listener>(std::ref(heard));
    auto same_side = spawn<listener>(std::ref(beside));
    auto ann = spawn<speaker>(to, "a");
    auto bob = spawn<speaker>(same_side, "b");
    rule cut = rules.partition({ann, bob, same_side}, {to});
    ann.tell(go{});
    bob.tell(go{});
    co_await sleep(1s);
    CHECK(spoken(heard).empty());
    CHECK(spoken(beside) == "bb");
    cut.end();
    ann.tell(go{});
    co_await sleep(1s);
    CHECK(spoken(heard) == "aa");
  });
}

TEST_CASE("rules hold between loops as they do on one") {
  in_world(
      []() -> coro<> {
        interception rules;
        notes heard;
        auto to = spawn<listener>(place::on(1), std::ref(heard));
        static_cast<void>(rules.each<word>().times(1).drop());
        static_cast<void>(rules.each<word>().times(1).reorder());
        static_cast<void>(rules.each<word>().times(1).duplicate());
        static_cast<void>(rules.each<question>().times(1).drop_answer());
        for (const char* each : {"a", "b", "c", "d"}) to.tell(word{each});
        co_await sleep(1s);
        std::string sorted = spoken(heard);
        std::sort(sorted.begin(), sorted.end());
        CHECK(sorted == "bccd");
        CHECK(heard.words.front() == "c");
        const std::string failure = co_await failure_of(to.ask(question{1}, 3s));
        CHECK(failure.find("within 3 s") != std::string::npos);
        const int answer = co_await to.ask(question{1}, 3s);
        CHECK(answer == 2);
        to.stop();
        co_await sleep(1s);
      },
      2);
}

// --- crashes ----------------------------------------------------------------------------------------------------------

TEST_CASE("an actor that crashes before a message finds it again after its restart") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const rule crashed = rules.each<word>().times(1).crash(moment::before);
    to.tell(word{"a"});
    to.tell(word{"b"});
    co_await sleep(1s);
    CHECK(heard.lives == 2);
    CHECK(spoken(heard) == "ab");
    CHECK(crashed.count() == 1);
  });
}

TEST_CASE("an actor that crashes after a message has handled it and answered, and not the next") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const rule crashed = rules.any().times(2).crash(moment::after);
    const int answer = co_await to.ask(question{1});
    CHECK(answer == 2);
    CHECK(heard.lives == 1);
    co_await sleep(1s);
    CHECK(heard.lives == 2);
    const int waited_for = co_await to.ask(slow{});
    CHECK(waited_for == 7);
    co_await sleep(1s);
    CHECK(heard.ended == 1);
    CHECK(heard.lives == 3);
    CHECK(crashed.count() == 2);
  });
}

TEST_CASE("an actor crashes while its handler waits, and the asker is told") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const rule crashed = rules.any().times(2).crash(moment::during);
    const int at_once = co_await to.ask(question{1});  // does not wait, so is not met
    CHECK(at_once == 2);
    const std::string failure = co_await failure_of(to.ask(slow{}));
    CHECK(failure.find("dead or stopping") != std::string::npos);
    co_await sleep(5s);
    CHECK(heard.begun == 1);
    CHECK(heard.ended == 0);
    CHECK(heard.lives == 2);
    CHECK(crashed.count() == 1);
    const int again = co_await to.ask(slow{});
    CHECK(again == 7);
  });
}

TEST_CASE("a crash that is chosen comes in each of the moments in which the handler waits") {
  std::set<std::string> seen;
  const exploration tried = explore({.how = search::exhaustive}, [&]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    static_cast<void>(rules.each<slow>().maybe().crash(moment::during));
    const std::string failure = co_await failure_of(to.ask(slow{}));
    seen.insert(std::to_string(heard.begun) + std::to_string(heard.ended) +
                (failure.empty() ? " answered" : " failed"));
    co_await sleep(5s);
  });
  CHECK(tried.complete);
  CHECK(seen == std::set<std::string>{"10 failed", "11 answered"});
}

TEST_CASE("an actor crashes at each step there is, once at most") {
  std::set<std::string> seen;
  int most_lives = 0;
  const exploration tried =
      explore({.schedules = 10'000, .how = search::exhaustive}, [&]() -> coro<> {
        notes heard;
        auto boss = spawn<supervisor>(std::ref(heard));
        auto to = co_await boss.ask(whom{});
        interception rules;
        const rule crashed = rules.crash_at_any_step(to);
        to.tell(word{"a"});
        const std::string failure = co_await failure_of(to.ask(slow{}));
        most_lives = std::max(most_lives, heard.lives);
        seen.insert(spoken(heard) + std::to_string(heard.begun) + std::to_string(heard.ended) +
                    (failure.empty() ? " answered" : " failed"));
        if (crashed.count() > 1) throw std::runtime_error("more than once");
      });
  CHECK(tried.complete);
  CHECK(most_lives == 2);
  // At first, and all comes after the restart; in between; while the handler waits; after all.
  CHECK(seen.count("a11 answered") == 1);
  CHECK(seen.count("a10 failed") == 1);
}

TEST_CASE(
    "an actor that is made to crash where nobody supervises it ends, and that is no failure") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    interception rules;
    rules.crash(to);
    const std::string failure = co_await failure_of(to.ask(question{1}));
    CHECK(failure.find("dead") != std::string::npos);
  });
}

TEST_CASE("what a rule throws is a failure of the scenario") {
  try {
    in_world([]() -> coro<> {
      notes heard;
      auto to = spawn<listener>(std::ref(heard));
      interception rules;
      static_cast<void>(
          rules.each<word>().rewrite([](word&) { throw std::logic_error("a typo"); }));
      to.tell(word{"a"});
      co_await sleep(1s);
    });
    FAIL("it did not fail");
  } catch (const unexpected_failure& failed) {
    CHECK(std::string(failed.what()).find("a rule of an interception threw") != std::string::npos);
    CHECK(std::string(failed.what()).find("a typo") != std::string::npos);
  }
}

TEST_CASE("an interception is refused where there is no simulation, or another one") {
  CHECK_THROWS_AS(interception(), invalid_state);
  in_world([]() -> coro<> {
    interception rules;
    CHECK_THROWS_AS(interception(), invalid_state);
    CHECK_THROWS_AS(rules.each<word>().times(0).drop(), std::invalid_argument);
    CHECK_THROWS_AS(rules.each<word>().delay(-1s), std::invalid_argument);
    CHECK_THROWS_AS(rules.each<word>().delay(2s, 1s), std::invalid_argument);
    CHECK_THROWS_AS(rules.each<word>().reorder(0), std::invalid_argument);
    co_return;
  });
}

// --- what a review has found ------------------------------------------------------------------------------------------

TEST_CASE("an answer that is lost after the interception has ended fails at once") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    std::vector<future<int>> asked;
    {
      interception rules;
      static_cast<void>(rules.each<slow>().times(1).drop_answer());
      static_cast<void>(rules.each<slow>().delay_answer(1h));
      asked.push_back(to.ask(slow{}, infinite));
      asked.push_back(to.ask(slow{}, infinite));
      co_await sleep(500ms);
    }
    const std::string lost = co_await failure_of(std::move(asked[0]));
    CHECK(lost.find("without an answer") != std::string::npos);
    const int late = co_await asked[1];
    CHECK(late == 7);
    CHECK(loop::current()->time() == time_point{} + 4s);
  });
}

TEST_CASE("a message that a later rule drops crashes nobody, nor does another in its place") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const auto is_x = [](const word& each) { return each.text == "x"; };
    const rule crashed = rules.each<word>().where(is_x).crash(moment::after);
    static_cast<void>(rules.each<word>().where(is_x).drop());
    for (int each = 0; each < 20; ++each) to.tell(word{"x"});
    co_await sleep(1s);
    for (int each = 0; each < 20; ++each) to.tell(word{"y"});
    co_await sleep(1s);
    CHECK(crashed.count() == 0);
    CHECK(heard.lives == 1);
  });
}

TEST_CASE("a rule that is to crash a process in the midst of a message says that it has none") {
  CHECK_THROWS_WITH(in_world([]() -> coro<> {
                      auto body = [](mailbox<word>& inbox) -> coro<> {
                        for (;;) static_cast<void>(co_await inbox.receive());
                      };
                      auto to = spawn(body);
                      interception rules;
                      static_cast<void>(rules.each<word>().crash(moment::after));
                      to.tell(word{"a"});
                      co_await sleep(1s);
                    }),
                    Catch::Contains("a process has no handlers"));
}

TEST_CASE("an exhaustive search knows that the end of a rule and a message depend on each other") {
  std::set<std::string> seen;
  const exploration tried = explore({.how = search::exhaustive, .isolated = true}, [&]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    interception rules;
    rule dropped = rules.each<word>().drop();
    auto speaks = [](actor_ref<listening> whom) -> coro<> {
      whom.tell(word{"a"});
      co_return;
    };
    auto ends = [](rule which) -> coro<> {
      which.end();
      co_return;
    };
    auto one = create_task(speaks(to));
    auto other_one = create_task(ends(dropped));
    co_await one;
    co_await other_one;
    co_await sleep(1s);
    seen.insert(spoken(heard));
  });
  CHECK(tried.complete);
  CHECK(seen == std::set<std::string>{"", "a"});
}

TEST_CASE("who asks the dead is told so, whatever the rules") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    to.stop();
    co_await to.stopped();
    interception rules;
    const rule dropped = rules.each<question>().drop();
    const std::string failure = co_await failure_of(to.ask(question{1}, infinite));
    CHECK(failure.find("dead") != std::string::npos);
    CHECK(dropped.count() == 0);
  });
}

TEST_CASE("a request whose answer is lost keeps its place among the messages") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    interception rules;
    static_cast<void>(rules.each<question>().drop_answer());
    auto asked = to.ask(question{1}, 1s);
    to.tell(word{"w"});
    co_await sleep(1ms);
    const std::string failure = co_await failure_of(std::move(asked));
    CHECK(failure.find("within 1 s") != std::string::npos);
    CHECK(heard.questions_before_words == 1);
  });
}

TEST_CASE("messages are reordered one after the other, without end") {
  in_world([]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    const rule reordered = rules.each<word>().reorder();
    for (const char* each : {"a", "b", "c", "d"}) {
      to.tell(word{each});
      co_await sleep(1ms);
    }
    CHECK(spoken(heard) == "badc");
    CHECK(reordered.count() == 2);
  });
}

TEST_CASE("one fault at most may be any of them") {
  std::set<std::string> seen;
  static_cast<void>(explore({.schedules = 500}, [&]() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    static_cast<void>(rules.each<word>().maybe().times(1).drop());
    for (const char* each : {"a", "b", "c"}) to.tell(word{each});
    co_await sleep(1s);
    seen.insert(spoken(heard));
  }));
  CHECK(seen == std::set<std::string>{"ab", "abc", "ac", "bc"});
}

TEST_CASE("a rule may end the interception that it belongs to") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    auto rules = std::make_unique<interception>();
    static_cast<void>(rules->each<word>()
                          .where([&](const word&) {
                            rules.reset();
                            return false;
                          })
                          .drop());
    to.tell(word{"a"});
    to.tell(word{"b"});
    co_await sleep(1s);
    CHECK(spoken(heard) == "ab");
  });
}

TEST_CASE("an interleaving of a delayed message is shown with who sent it, and when") {
  first_come natural;
  sequence_chart chart;
  simulation world(natural);
  world.on_opened([&](loop& home) { chart.opened(home); });
  auto body = []() -> coro<> {
    interception rules;
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    auto ann = spawn<speaker>(to, "a");
    static_cast<void>(rules.each<word>().delay(5ms));
    ann.tell(go{});
    co_await sleep(1s);
  };
  world.run(body());
  const std::string shown = chart.mermaid();
  CAPTURE(shown);
  CHECK(shown.find("L2->>L1: word") != std::string::npos);
  CHECK(shown.find("L0->>L1") == std::string::npos);
}
