// Probes: what they expect, allow, forbid and answer.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/testing/probe.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "support/explored.hpp"

#include <chrono>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace probe_test {

struct deposit {
  int cents;
};
struct balance {
  using reply = int;
};
struct tick {};
using account = protocol<deposit, balance, tick>;

struct go {};
/// Deposits what is there, ten seconds later as much again.
class clerk : public actor<protocol<go>> {
 public:
  explicit clerk(actor_ref<account> of) : account_(std::move(of)) {}
  coro<> on(go) {
    const int there = co_await account_.ask(balance{});
    account_.tell(tick{});
    account_.tell(deposit{there});
    co_await sleep(10s);
    account_.tell(deposit{2 * there});
  }

 private:
  actor_ref<account> account_;
};

/// How an expectation fails, or nothing.
template <class T>
coro<std::string> failure_of(coro<T> expecting) {
  try {
    static_cast<void>(co_await std::move(expecting));
  } catch (const expectation_failed& error) {
    co_return error.what();
  }
  co_return "";
}
coro<std::string> failure_of(coro<> expecting) {
  try {
    co_await std::move(expecting);
  } catch (const expectation_failed& error) {
    co_return error.what();
  }
  co_return "";
}

}  // namespace probe_test

using namespace probe_test;

TROUPE_PROGRAM_TEST_CASE("a probe gives what came in its order, with the right to answer") {
  auto body = []() -> coro<> {
    probe<account> bank;
    spawn<clerk>(bank.ref()).tell(go{});
    auto question = co_await bank.expect<balance>();
    question.reply.answer(7);
    co_await bank.expect<tick>();
    deposit got = co_await bank.expect<deposit>();
    CHECK(got.cents == 7);
    co_await bank.expect_nothing(9s);
    got = co_await bank.expect<deposit>([](const deposit& d) { return d.cents == 14; });
    CHECK(got.cents == 14);
    CHECK(bank.waiting() == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a probe answers by script, passes over what is allowed, and takes several in their order") {
  auto body = []() -> coro<> {
    probe<account> bank;
    bank.allow<tick>();
    bank.reply<balance>([](const balance&) { return 3; });
    spawn<clerk>(bank.ref()).tell(go{});
    auto expecting = bank.expect_in_order<deposit, deposit>(20s);
    const auto [first, second] = co_await std::move(expecting);
    CHECK(first.cents == 3);
    CHECK(second.cents == 6);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a script may refuse, and the asker hears it") {
  auto body = []() -> coro<> {
    probe<account> bank;
    bank.reply<balance>([](const balance&) -> int { throw std::runtime_error("closed"); });
    std::string heard;
    try {
      co_await bank.ref().ask(balance{});
    } catch (const std::runtime_error& error) {
      heard = error.what();
    }
    CHECK(heard == "closed");
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an expectation that fails says what was expected, and what came") {
  auto body = []() -> coro<> {
    probe<account> bank;
    std::string said = co_await failure_of(bank.expect<deposit>(5s));
    CHECK_THAT(said, Catch::Contains("expected a message") && Catch::Contains("deposit") &&
                         Catch::Contains("nothing came in time") &&
                         Catch::Contains("no message has come so far"));
    bank.ref().tell(tick{});
    said = co_await failure_of(bank.expect<deposit>());
    CHECK_THAT(said, Catch::Contains("another type") && Catch::Contains("tick"));
    co_await bank.expect<tick>();
    bank.ref().tell(deposit{1});
    said = co_await failure_of(bank.expect<deposit>([](const deposit& d) { return d.cents > 1; }));
    CHECK_THAT(said, Catch::Contains("does not fit"));
    said = co_await failure_of(bank.expect_nothing(1s));
    CHECK_THAT(said, Catch::Contains("expected nothing"));
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a forbidden message fails the next expectation, whatever that is") {
  auto body = []() -> coro<> {
    probe<account> bank;
    bank.forbid<tick>();
    bank.ref().tell(tick{});
    bank.ref().tell(deposit{1});
    co_await sleep(1s);
    const std::string said = co_await failure_of(bank.expect<deposit>());
    CHECK_THAT(said, Catch::Contains("a forbidden message came") && Catch::Contains("tick"));
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a probe takes matchers of Catch2") {
  struct text {
    std::string of;
  };
  struct matcher {
    bool match(const text& got) const { return Catch::Contains("ell").match(got.of); }
    std::string toString() const { return "has ell"; }
  };
  auto body = []() -> coro<> {
    probe<protocol<text>> reader;
    reader.ref().tell(text{"hello"});
    const text got = co_await reader.expect<text>(matcher{});
    CHECK(got.of == "hello");
  };
  testing::run(body());
}
