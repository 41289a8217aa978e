// What the errors of asks say, and what is counted.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/counts.hpp>
#include <troupe/actors/errors.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <optional>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace mishaps {

struct take {
  using reply = int;
};
struct nap {
  using reply = int;
  duration time;
};
struct let_go {};
using keeping = protocol<take, nap, let_go>;

class keeper : public actor<keeping> {
 public:
  void on(take, reply_to<int> answer) { held_.emplace(std::move(answer)); }
  coro<int> on(nap n) {
    co_await sleep(n.time);
    co_return 1;
  }
  void on(let_go) { held_.reset(); }

 private:
  std::optional<reply_to<int>> held_;
};

/// What an error of an ask knows, in words.
coro<std::string> known_of(future<int> answer) {
  try {
    static_cast<void>(co_await answer);
  } catch (const ask_error& error) {
    const failed_ask& ask = error.ask();
    co_return ask.target + "|" + ask.message + "|" + ask.state + "|" +
        std::to_string(ask.waited / duration(1ms)) + " ms";
  }
  co_return "answered";
}

}  // namespace mishaps

using namespace mishaps;

TROUPE_PROGRAM_TEST_CASE(
    "the errors of asks are one kind, and know whom, what, for how long, and the actor's state") {
  auto body = []() -> coro<std::string> {
    auto one = spawn<keeper>({.name = "one"});
    auto first = one.ask(nap{1min}, 2s);
    std::string how = co_await known_of(std::move(first));
    co_await sleep(1min);
    auto second = one.ask(take{});
    co_await sleep(3s);
    one.tell(let_go{});
    how += "\n" + co_await known_of(std::move(second));
    auto third = one.ask(nap{1min}, infinite);
    co_await sleep(4s);
    one.stop();
    how += "\n" + co_await known_of(std::move(third));
    co_await settle();
    auto fourth = one.ask(take{});
    how += "\n" + co_await known_of(std::move(fourth));
    co_return how;
  };
  CHECK(
      testing::run(body()) ==
      "mishaps::keeper 'one'|mishaps::nap|alive, 0 messages queued, handling mishaps::nap|2000 ms\n"
      "mishaps::keeper 'one'|mishaps::take|alive, 0 messages queued|3000 ms\n"
      "mishaps::keeper 'one'|mishaps::nap|alive, 0 messages queued, handling mishaps::nap|4000 ms\n"
      "mishaps::keeper 'one'|mishaps::take|dead|0 ms");
}

TROUPE_PROGRAM_TEST_CASE("the text of an ask's error says how long the ask had waited") {
  auto body = []() -> coro<std::string> {
    auto one = spawn<keeper>({.name = "one"});
    auto asked = one.ask(take{});
    co_await sleep(1500ms);
    one.tell(let_go{});
    std::string how = co_await ending(std::move(asked));
    co_return how;
  };
  CHECK(testing::run(body()) ==
        "dropped: mishaps::keeper 'one' dropped mishaps::take without an answer (alive, 0 messages "
        "queued), after 1.5 s");
}

TROUPE_PROGRAM_TEST_CASE(
    "a time-out of an ask is a timeout_error, an ask_error and a std::exception") {
  auto body = []() -> coro<int> {
    auto one = spawn<keeper>();
    int caught = 0;
    try {
      static_cast<void>(co_await one.ask(nap{1h}, 1s));
    } catch (const timeout_error& error) {
      const auto* const also = dynamic_cast<const ask_error*>(&error);
      caught = also != nullptr && also->text() == std::string(error.what()) ? 1 : 0;
    }
    try {
      static_cast<void>(co_await one.ask(nap{1h}, 1s));
    } catch (const std::exception&) {
      ++caught;
    }
    co_return caught;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE(
    "answers after a time-out or a cancellation are counted, those in time are not") {
  auto body = []() -> coro<std::string> {
    auto one = spawn<keeper>();
    const auto late = [] { return std::to_string(counts_of_loop().late_replies) + " "; };
    static_cast<void>(co_await one.ask(nap{1s}));
    std::string how = late();
    static_cast<void>(co_await ending(one.ask(nap{3s}, 1s)));
    co_await sleep(5s);
    how += late();
    auto given_up = one.ask(nap{1s});
    co_await settle();
    given_up.cancel();
    co_await sleep(5s);
    how += late();
    auto not_begun = one.ask(nap{1s});
    not_begun.cancel();
    co_await sleep(5s);
    co_return how + late();
  };
  CHECK(testing::run(body()) == "0 1 2 2 ");
}

TEST_CASE("dead letters and late answers of all loops are summed up") {
  auto body = []() -> coro<std::string> {
    auto here = spawn<keeper>(place::on(0));
    auto there = spawn<keeper>(place::on(1));
    auto a = here.stopped();
    auto b = there.stopped();
    auto asked = there.ask(take{});
    asked.cancel();
    here.stop();
    there.stop();
    static_cast<void>(co_await a);
    static_cast<void>(co_await b);
    for (int each = 0; each < 3; ++each) {
      here.tell(let_go{});
      there.tell(let_go{});
    }
    const actor_counts all = co_await counts_of_runtime();
    auto unread = counts_of_runtime();
    unread.cancel();
    co_return std::to_string(all.dead_letters);
  };
  CHECK(run_on(2, body()) == "6");
}
