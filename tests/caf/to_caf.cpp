// Troupe actors as CAF actors know them.
#include "caf/both_ways.hpp"

#include <troupe/actors/counts.hpp>
#include <troupe/runtime/errors.hpp>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::caf_actors;

namespace {

using caf::event_based_actor;

/// Has a CAF actor ask `whom`, and gives what it has got, as text.
template <class Limit, class... Content>
coro<std::string> asked_by_caf(caf_system& sys, caf::actor whom, Limit limit, Content... content) {
  word<std::string> got;
  sys->spawn([&, whom](event_based_actor* self) {
    self->request(whom, limit, content...)
        .then([&](int value) { got.say(std::to_string(value)); },
              [&](const caf::error& why) { got.say(internal::text_of(why)); });
  });
  co_return co_await got.heard();
}

TEST_CASE("a CAF actor tells and asks a troupe actor") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto mine = to_caf(spawn<account>());
    caf::anon_send(mine, deposit{500});
    caf::anon_send(mine, deposit{20});
    auto first = asked_by_caf(sys, mine, caf::infinite, balance{});
    const std::string text_1 = co_await std::move(first);
    CHECK(text_1 == "520");
    auto second = asked_by_caf(sys, mine, caf::infinite, caf::add_atom_v, 2, std::int64_t{3});
    const std::string text_2 = co_await std::move(second);
    CHECK(text_2 == "5");
    co_await sys.shutdown();
  });
}

TEST_CASE("what a troupe actor fails with is an error that a CAF actor can tell from others") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto keep = spawn<account>();
    const auto mine = to_caf(keep);
    auto refused = asked_by_caf(sys, mine, caf::infinite, refuse{});
    const std::string first = co_await std::move(refused);
    CHECK(first == "rejected: no funds");
    auto late = asked_by_caf(sys, mine, 10ms, never{});
    const std::string second = co_await std::move(late);
    CHECK(second.find("request_timeout") != std::string::npos);
    auto unknown = asked_by_caf(sys, mine, caf::infinite, std::string("what?"));
    const std::string third = co_await std::move(unknown);
    CHECK(third.find("unexpected_message") != std::string::npos);
    keep.stop();
    co_await keep.stopped();
    auto dead = asked_by_caf(sys, mine, caf::infinite, balance{});
    const std::string fourth = co_await std::move(dead);
    CHECK(fourth.find("request_receiver_down") != std::string::npos);
  });
}

TEST_CASE(
    "a troupe actor that crashes or is killed fails what CAF actors have asked it, and says why") {
  const auto program = [](bool killed) -> coro<std::string> {
    caf_system sys;
    const auto keep = spawn<account>();
    const auto mine = to_caf(keep);
    word<std::string> down;
    const auto observer = sys->spawn([&](event_based_actor* self) -> caf::behavior {
      self->monitor(mine);
      self->set_down_handler(
          [&](const caf::down_msg& end) { down.say(internal::text_of(end.reason)); });
      return {[](int) {}};
    });
    auto open = create_task(asked_by_caf(sys, mine, caf::infinite, never{}));
    while (sys.running() != 2) co_await sleep(0s);
    for (int turns = 0; turns < 20; ++turns) co_await sleep(1ms);
    if (killed) {
      keep.kill();
    } else {
      keep.tell(crash{});
    }
    const std::string answer = co_await open;
    const std::string end = co_await down.heard();
    co_return answer + " | " + end;
  };
  failure_log log;
  const std::string killed = testing::run(program(true), &log);
  CHECK(killed.find("request_receiver_down") != std::string::npos);
  CHECK(killed.find("| exit_reason(kill)") != std::string::npos);
  const std::string crashed = testing::run(program(false), &log);
  CHECK(crashed.find("request_receiver_down") != std::string::npos);
  CHECK(crashed.find("out of paper") != std::string::npos);
  CHECK(log.count("out of paper") == 1);
}

TEST_CASE("a CAF actor that has only sent gets the answer as a message, as from any actor of CAF") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto mine = to_caf(spawn<account>());
    word<int> got;
    sys->spawn([&](event_based_actor* self) -> caf::behavior {
      self->send(mine, deposit{7});
      self->send(mine, refuse{});  // nobody hears of that
      self->send(mine, balance{});
      return {[&, self](int value) {
        got.say(value);
        self->quit();
      }};
    });
    const int value = co_await got.heard();
    CHECK(value == 7);
    co_await sys.actors_done();
  });
}

TEST_CASE("a request that CAF actors delegate to a troupe actor is answered to who asked first") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto mine = to_caf(spawn<account>());
    const auto front = sys->spawn([mine](event_based_actor* self) -> caf::behavior {
      return {[=](int a) { return self->delegate(mine, caf::add_atom_v, a, std::int64_t{1}); }};
    });
    auto asked = asked_by_caf(sys, front, caf::infinite, 41);
    const std::string text_3 = co_await std::move(asked);
    CHECK(text_3 == "42");
    const auto composed = front * front;  // each answer is passed on along CAF's stages
    auto twice = asked_by_caf(sys, composed, caf::infinite, 40);
    const std::string text_4 = co_await std::move(twice);
    CHECK(text_4 == "42");
    co_await sys.shutdown();
  });
}

TEST_CASE("an actor has one handle, and comes back as itself") {
  testing::run([]() -> coro<> {
    caf_system sys;
    const auto mine = spawn<account>();
    const caf::actor handle = to_caf(mine);
    CHECK(to_caf(mine) == handle);
    CHECK(to_caf(actor_ref<narrow>(mine)) == handle);
    CHECK(from_caf<bank>(handle) == mine);
    CHECK(from_caf<narrow>(handle) == mine);
    const auto theirs = sys->spawn(caf_account);
    const auto ref = from_caf<bank>(theirs);
    CHECK(from_caf<bank>(theirs) == ref);
    CHECK(to_caf(ref) == theirs);
    CHECK_THROWS_AS(from_caf<protocol<exited>>(handle), std::invalid_argument);
    CHECK_THROWS_AS(from_caf<bank>(caf::actor()), std::invalid_argument);
    CHECK_THROWS_AS(to_caf(actor_ref<bank>()), std::invalid_argument);
    co_await sys.shutdown();
    CHECK_THROWS_AS(to_caf(mine), invalid_state);
  }());
}

TEST_CASE("a handle that was made of a narrow ref understands more when a wider one was given") {
  testing::run([]() -> coro<> {
    caf_system sys;
    const auto mine = spawn<account>();
    const caf::actor handle = to_caf(actor_ref<narrow>(mine));
    auto first = asked_by_caf(sys, handle, caf::infinite, caf::add_atom_v, 2, std::int64_t{3});
    const std::string before = co_await std::move(first);
    CHECK(before.find("unexpected_message") != std::string::npos);
    static_cast<void>(to_caf(mine));
    auto second = asked_by_caf(sys, handle, caf::infinite, caf::add_atom_v, 2, std::int64_t{3});
    const std::string text_5 = co_await std::move(second);
    CHECK(text_5 == "5");
  }());
}

TEST_CASE(
    "an exit that CAF sends stops a troupe actor, kill kills it, and normal changes nothing") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto one = spawn<account>();
    const auto other = spawn<account>();
    caf::anon_send_exit(to_caf(one), caf::exit_reason::normal);
    const int alive = co_await one.ask(balance{});
    CHECK(alive == 0);
    caf::anon_send_exit(to_caf(one), caf::exit_reason::user_shutdown);
    const exit_reason stopped = co_await one.stopped();
    CHECK(stopped.what() == exit_reason::kind::stopped);
    caf::anon_send_exit(to_caf(other), caf::exit_reason::kill);
    const exit_reason killed = co_await other.stopped();
    CHECK(killed.what() == exit_reason::kind::killed);
  });
}

// --- links ------------------------------------------------------------------------------------------------------------

struct ends_seen {
  using reply = std::vector<std::string>;
};
class trapping : public actor<protocol<exited, ends_seen>> {
 public:
  void on(exited end) { seen_.push_back(end.reason.text()); }
  std::vector<std::string> on(ends_seen) { return seen_; }

 private:
  std::vector<std::string> seen_;
};

caf::behavior ends_by(event_based_actor* self, caf::actor linked_with) {
  self->link_to(linked_with);
  return {[=](int code) {
    if (code == 0) {
      self->quit();
    } else {
      self->quit(make_error(caf::sec::runtime_error, std::string("broken")));
    }
  }};
}

TEST_CASE(
    "a CAF actor that ends takes the troupe actors with it that it is linked with, when it has "
    "failed") {
  failure_log log;
  testing::run(
      []() -> coro<> {
        caf_system sys;
        const auto mine = spawn<account>();
        const auto good = sys->spawn(ends_by, to_caf(mine));
        const auto bad = sys->spawn(ends_by, to_caf(mine));
        const auto traps = spawn<trapping>();
        const auto other = sys->spawn(ends_by, to_caf(traps));
        caf::anon_send(good, 0);
        caf::anon_send(other, 1);
        co_await sleep(1ms);
        const int alive = co_await mine.ask(balance{});
        CHECK(alive == 0);
        const auto seen = co_await traps.ask(ends_seen{});
        REQUIRE(seen.size() == 1);
        CHECK(seen[0].find("broken") != std::string::npos);
        caf::anon_send(bad, 1);
        const exit_reason end = co_await mine.stopped();
        CHECK(end.text().find("was linked with an actor of CAF") != std::string::npos);
        CHECK(end.text().find("broken") != std::string::npos);
      }(),
      &log);
  CHECK(log.count("broken") == 1);
}

TEST_CASE(
    "a troupe actor that fails takes the CAF actors with it that are linked with it, but not one "
    "that was stopped") {
  failure_log log;
  testing::run(
      []() -> coro<> {
        caf_system sys;
        const auto stopped = spawn<account>();
        const auto crashed = spawn<account>();
        const auto one = sys->spawn(ends_by, to_caf(stopped));
        const auto other = sys->spawn(ends_by, to_caf(crashed));
        co_await sleep(1ms);
        stopped.stop();
        co_await stopped.stopped();
        co_await sleep(1ms);
        CHECK(sys.running() == 2);
        crashed.tell(crash{});
        co_await crashed.stopped();
        co_await sleep(1ms);
        CHECK(sys.running() == 1);
      }(),
      &log);
  CHECK(log.count("out of paper") == 1);
}

// --- loops ------------------------------------------------------------------------------------------------------------

TEST_CASE("CAF actors of all loops, and of threads of their own, ask one troupe actor") {
  really(
      []() -> coro<> {
        caf_system sys;
        const auto mine = spawn<account>();
        const auto handle = to_caf(mine);
        constexpr int actors = 24;
        constexpr int each_asks = 200;
        word<int> done;
        std::atomic<int> left{actors};
        std::atomic<int> wrong{0};
        for (int each = 0; each < actors; ++each) {
          if (each % 8 == 0) {
            sys->spawn<caf::detached>([&, handle](caf::blocking_actor* self) {
              for (int times = 0; times < each_asks; ++times) {
                self->request(handle, 60s, caf::add_atom_v, times, std::int64_t{1})
                    .receive([&](int value) { wrong += value != times + 1; },
                             [&](const caf::error&) { ++wrong; });
              }
              if (--left == 0) done.say(1);
            });
            continue;
          }
          sys->spawn([&, handle](event_based_actor* self) {
            auto ask = std::make_shared<std::function<void(int)>>();
            *ask = [&, self, handle, weak = std::weak_ptr(ask)](int times) {
              self->request(handle, caf::infinite, caf::add_atom_v, times, std::int64_t{1})
                  .then([&, times, again = weak.lock()](int value) {
                    wrong += value != times + 1;
                    if (times + 1 < each_asks) return (*again)(times + 1);
                    if (--left == 0) done.say(1);
                  });
            };
            (*ask)(0);
          });
        }
        co_await done.heard();
        CHECK(wrong == 0);
        co_await sys.actors_done();
      }(),
      3);
}

}  // namespace
