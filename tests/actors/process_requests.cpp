// Requests that a process has received: how they are answered, and by what they fail.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

enum class manner { at_once, later, drops, throws, rejects, catches, takes_reply, cleans_up };

struct fetch {
  using reply = int;
  manner how;
};
struct ready {
  using reply = void;
};
struct release {};
using sourcing = protocol<fetch, ready, release>;
using source_box = mailbox<fetch, ready, release>;

coro<> inner(asked<fetch> request) {
  co_await sleep(1ms);
  if (request.message.how == manner::rejects) throw rejected("no");
  throw std::runtime_error("boom");
}

coro<> source(source_box& inbox) {
  std::vector<asked<fetch>> kept;
  for (;;) {
    auto got = co_await inbox.receive();
    if (auto* const r = std::get_if<asked<ready>>(&got)) r->reply.answer();
    if (std::get_if<release>(&got) != nullptr) {
      for (auto& each : std::exchange(kept, {})) each.reply.answer(2);
    }
    auto* const asks = std::get_if<asked<fetch>>(&got);
    if (asks == nullptr) continue;
    switch (asks->message.how) {
      case manner::at_once:
        asks->reply.answer(1);
        break;
      case manner::later:
        kept.push_back(std::move(*asks));
        break;
      case manner::drops:
        break;
      case manner::takes_reply: {
        const reply_to<int> taken = std::move(asks->reply);
        throw std::runtime_error("boom");
      }
      case manner::throws:
      case manner::rejects: {
        auto work = inner(std::move(*asks));
        co_await work;
        break;
      }
      case manner::catches:
        try {
          auto work = inner(std::move(*asks));
          co_await work;
        } catch (const std::runtime_error&) {
        }
        co_await sleep(1h);
        break;
      case manner::cleans_up:
        try {
          co_await sleep(infinite);
        } catch (const cancelled&) {
        }
        co_return;
    }
  }
}

struct outcome_of {
  std::string how;
  std::string reason;
  failure_log log;
};

/// How a request of that manner ends, told to stop after a second, and how the process does.
outcome_of fetch_in(manner how) {
  outcome_of result;
  auto body = [&]() -> coro<> {
    auto asked_one = spawn(source);
    auto answer = asked_one.ask(fetch{how}, 1min);
    auto end = asked_one.stopped();
    co_await sleep(1s);
    asked_one.stop();
    result.how = co_await ending(std::move(answer));
    const exit_reason why = co_await end;
    result.reason = why.text();
  };
  testing::run(body(), &result.log);
  return result;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a process answers a request, at once or later") {
  auto body = []() -> coro<std::string> {
    auto one = spawn(source);
    auto first = one.ask(fetch{manner::later});
    auto second = one.ask(fetch{manner::at_once});
    auto third = one.ask(fetch{manner::later});
    auto fourth = one.ask(ready{});
    co_await settle();
    const bool too_soon = first.done();
    one.tell(release{});
    std::string how = co_await ending(std::move(first));
    how += co_await ending(std::move(second));
    how += co_await ending(std::move(third));
    how += co_await ending(std::move(fourth));
    co_return how + (too_soon ? " too soon" : "");
  };
  CHECK(testing::run(body()) == "212answered");
}

TEST_CASE("a request that a process drops fails with no_reply") {
  const outcome_of result = fetch_in(manner::drops);
  CHECK(starts_with(result.how, "dropped: "));
  CHECK(result.reason == "stopped");
}

TEST_CASE("a process that throws with a request in hand answers with what it threw") {
  for (const manner how : {manner::throws, manner::takes_reply}) {
    const outcome_of result = fetch_in(how);
    CHECK(result.how == "error: boom");
    CHECK(result.reason == "crashed: std::runtime_error: boom");
    CHECK(result.log.count("boom") == 1);
  }
}

TEST_CASE("a process that throws rejected has crashed as well, and the asker is rejected") {
  const outcome_of result = fetch_in(manner::rejects);
  CHECK(result.how == "rejected: no");
  CHECK(starts_with(result.reason, "crashed: "));
}

TEST_CASE(
    "a request dropped by an exception that the process catches fails with no_reply at once") {
  const outcome_of result = fetch_in(manner::catches);
  CHECK(starts_with(result.how, "dropped: "));
}

TEST_CASE("a request that a process has in hand when it is stopped fails with actor_dead") {
  for (const manner how : {manner::later, manner::cleans_up}) {
    const outcome_of result = fetch_in(how);
    CHECK(starts_with(result.how, "dead: "));
    CHECK(result.how.find("stopped before it answered") != std::string::npos);
    CHECK(result.reason == "stopped");
  }
}

TROUPE_PROGRAM_TEST_CASE(
    "all requests that a process keeps when it throws fail with what it threw") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto one = spawn(source);
    auto first = one.ask(fetch{manner::later});
    auto second = one.ask(fetch{manner::later});
    auto in_hand = one.ask(fetch{manner::throws});
    auto queued = one.ask(fetch{manner::at_once});
    std::string how = co_await ending(std::move(first));
    how += ", " + co_await ending(std::move(second));
    how += ", " + co_await ending(std::move(in_hand));
    how += ", " + (co_await ending(std::move(queued))).substr(0, 4);
    co_return how;
  };
  CHECK(testing::run(body(), &log) == "error: boom, error: boom, error: boom, dead");
}

TROUPE_PROGRAM_TEST_CASE("a request that was told, not asked, is received with an empty reply") {
  failure_log log;
  auto body = []() -> coro<bool> {
    bool empty = false;
    auto one = spawn([&](source_box& inbox) -> coro<> {
      auto request = co_await inbox.receive<fetch>();
      empty = !request.reply;
      request.reply.answer(1);
    });
    one.tell(fetch{manner::at_once});
    static_cast<void>(co_await one.stopped());
    co_return empty;
  };
  CHECK(testing::run(body(), &log));
}

TROUPE_PROGRAM_TEST_CASE("a request that its asker has given up is not received") {
  auto body = []() -> coro<int> {
    int received = 0;
    auto one = spawn([&](source_box& inbox) -> coro<> {
      static_cast<void>(co_await inbox.receive<release>());
      while (auto request = inbox.try_receive<fetch>()) {
        ++received;
        request->reply.answer(1);
      }
    });
    auto given_up = one.ask(fetch{manner::at_once});
    auto waited_for = one.ask(fetch{manner::at_once});
    co_await settle();
    given_up.cancel();
    one.tell(release{});
    static_cast<void>(co_await waited_for);
    co_return received;
  };
  CHECK(testing::run(body()) == 1);
}

TROUPE_PROGRAM_TEST_CASE("a reply that outlives its process still answers") {
  auto body = []() -> coro<std::string> {
    std::optional<reply_to<int>> kept;
    auto one = spawn([&](source_box& inbox) -> coro<> {
      auto request = co_await inbox.receive<fetch>();
      kept = std::move(request.reply);
    });
    auto first = one.ask(fetch{manner::later});
    static_cast<void>(co_await one.stopped());
    kept->answer(5);
    std::string how = co_await ending(std::move(first));
    co_return how;
  };
  CHECK(testing::run(body()) == "5");
}

namespace {

/// A message that throws when it is moved out of its envelope.
struct grenade {
  using reply = int;
  grenade() = default;
  grenade(grenade&& other) : moves(other.moves + 1) {
    if (other.armed && moves == other.limit) throw std::runtime_error("bang");
    armed = other.armed;
    limit = other.limit;
  }
  bool armed = false;
  int limit = 0;
  int moves = 0;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "a message that throws when it is moved to the process throws at its receive") {
  // How often a message is moved on its way is not promised: each number is tried.
  int thrown = 0;
  for (const bool ask : {false, true}) {
    for (int limit = 1; limit < 10; ++limit) {
      failure_log log;
      auto body = [&]() -> coro<> {
        auto one = spawn([&](mailbox<grenade, release>& inbox) -> coro<> {
          for (;;) {
            try {
              auto got = co_await inbox.receive();
              if (auto* const g = std::get_if<asked<grenade>>(&got)) g->reply.answer(1);
            } catch (const std::runtime_error&) {
              ++thrown;
            }
          }
        });
        grenade live;
        live.armed = true;
        live.limit = limit;
        try {
          if (ask) {
            auto answer = one.ask(std::move(live));
            const std::string how = co_await ending(std::move(answer));
            CHECK((how == "1" || starts_with(how, "dropped: ")));
          } else {
            one.tell(std::move(live));
          }
        } catch (const std::runtime_error&) {  // while it was sent
        }
        co_await settle();
      };
      testing::run(body(), &log);
    }
  }
  CHECK(thrown >= 2);
}
