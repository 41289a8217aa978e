// What is done to messages on their way.
#include <troupe/actors/testing/sequence_chart.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "actors/overheard.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::overheard;

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

TEST_CASE("a delayed message is shown with who sent it, and when") {
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
