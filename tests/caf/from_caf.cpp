// CAF actors as troupe actors know them.
#include "caf/both_ways.hpp"

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::caf_actors;

namespace {

using caf::event_based_actor;

/// What an ask ends with, as text.
template <class M>
coro<std::string> end_of(actor_ref<bank> ref, M message, duration limit = 10s) {
  try {
    auto asked = ref.ask(std::move(message), limit);
    const auto value = co_await asked;
    co_return std::to_string(value);
  } catch (const actor_dead& why) {
    co_return std::string("dead: ") + why.what();
  } catch (const ask_timeout& why) {
    co_return std::string("late: ") + why.what();
  } catch (const caf_error& why) {
    co_return std::string("CAF: ") + why.what();
  } catch (const rejected& why) {
    co_return std::string("rejected: ") + why.what();
  }
}

TEST_CASE("a task tells and asks a CAF actor") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto ref = from_caf<bank>(sys->spawn(caf_account));
    ref.tell(deposit{500});
    ref.tell(deposit{20});
    const int cents = co_await ref.ask(balance{});
    CHECK(cents == 520);
    const int sum = co_await ref.ask(add{2, 3});
    CHECK(sum == 5);
    const int difference = co_await ref.ask(sub{2, 3});
    CHECK(difference == -1);
    auto asked = ref.ask(split{"word"});
    const auto parts = co_await asked;
    CHECK(parts == std::tuple<std::string, int>("word", 4));
    co_await ref.ask(flush{});
    const int nothing = co_await ref.ask(balance{});
    CHECK(nothing == 0);
  });
}

TEST_CASE("errors of CAF actors are thrown where they were asked") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto ref = from_caf<bank>(sys->spawn(caf_account));
    auto first = end_of(ref, refuse{});
    const std::string refused = co_await std::move(first);
    CHECK(refused.starts_with("CAF: "));
    CHECK(refused.find("no funds") != std::string::npos);
    auto second = end_of(ref, never{}, 10ms);
    const std::string late = co_await std::move(second);
    CHECK(late.starts_with("late: "));
    const int alive = co_await ref.ask(balance{});
    CHECK(alive == 0);
    const auto end = ref.stopped();
    auto third = end_of(ref, crash{});
    const std::string crashed = co_await std::move(third);
    CHECK(crashed.find("runtime_error") != std::string::npos);
    const exit_reason why = co_await end;
    CHECK(why.what() == exit_reason::kind::crashed);
    auto fourth = end_of(ref, balance{});
    const std::string dead = co_await std::move(fourth);
    CHECK(dead.starts_with("dead: "));
  });
}

TEST_CASE("what a CAF actor was asked when it ends fails with actor_dead") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto theirs = sys->spawn(caf_account);
    const auto ref = from_caf<bank>(theirs);
    auto open = create_task(end_of(ref, never{}));
    const int alive = co_await ref.ask(balance{});  // so the other is under way
    CHECK(alive == 0);
    caf::anon_send_exit(theirs, caf::exit_reason::kill);
    const std::string dead = co_await open;
    CHECK(dead.starts_with("dead: "));
    const exit_reason why = co_await ref.stopped();
    CHECK(why.what() == exit_reason::kind::killed);
  });
}

TEST_CASE("an answer of another type than the protocol says is an error that shows it") {
  testing::run([]() -> coro<> {
    caf_system sys;
    const auto ref = from_caf<bank>(sys->spawn([](event_based_actor*) -> caf::behavior {
      return {[](balance) { return std::string("plenty"); }};
    }));
    auto asked = end_of(ref, balance{});
    const std::string end = co_await std::move(asked);
    CHECK(end.find("unexpected_response") != std::string::npos);
    CHECK(end.find("plenty") != std::string::npos);
    auto unknown = end_of(ref, refuse{});
    const std::string other = co_await std::move(unknown);
    CHECK(other.find("unexpected_message") != std::string::npos);
  }());
}

TEST_CASE("a ref of a CAF actor stops it, and kills it") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto one = from_caf<bank>(sys->spawn(caf_account));
    const auto other = from_caf<bank>(sys->spawn(caf_account));
    one.stop();
    const exit_reason stopped = co_await one.stopped();
    CHECK(stopped.what() == exit_reason::kind::stopped);
    other.kill();
    const exit_reason killed = co_await other.stopped();
    CHECK(killed.what() == exit_reason::kind::killed);
    co_await sys.actors_done();
  });
}

struct watch_it {
  using reply = std::string;
  actor_ref<bank> who;
};
class watcher_of_others : public actor<protocol<watch_it, down>> {
 public:
  void on(watch_it w, reply_to<std::string> reply) {
    reply_ = std::move(reply);
    monitor(w.who);
  }
  void on(down d) { reply_.answer(d.reason.text()); }

 private:
  reply_to<std::string> reply_;
};

TEST_CASE("a troupe actor that monitors a CAF actor hears why it has ended") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto theirs = sys->spawn([](event_based_actor* self) -> caf::behavior {
      return {[=](balance) {
        self->quit(make_error(caf::sec::invalid_argument, std::string("broken")));
        return 1;
      }};
    });
    const auto ref = from_caf<bank>(theirs);
    auto heard = spawn<watcher_of_others>().ask(watch_it{ref});
    const int last = co_await ref.ask(balance{});
    CHECK(last == 1);
    const std::string text = co_await heard;
    CHECK(text.find("broken") != std::string::npos);
  });
}

class linked_one : public actor<protocol<balance, crash>> {
 public:
  explicit linked_one(actor_ref<bank> with) { link(with); }
  int on(balance) { return 1; }
  int on(crash) { throw std::runtime_error("out of paper"); }
};

TEST_CASE("links between troupe actors and CAF actors hold in both directions") {
  failure_log log;
  testing::run(
      []() -> coro<> {
        caf_system sys;
        const auto theirs = sys->spawn(caf_account);
        const auto mine = spawn<linked_one>(from_caf<bank>(theirs));
        caf::anon_send_exit(theirs, caf::exit_reason::kill);
        const exit_reason end = co_await mine.stopped();
        CHECK(end.what() == exit_reason::kind::crashed);

        const auto other = sys->spawn(caf_account);
        const auto ref = from_caf<bank>(other);
        const auto fails = spawn<linked_one>(ref);
        fails.tell(crash{});
        const exit_reason taken = co_await ref.stopped();
        CHECK(taken.what() == exit_reason::kind::crashed);
        co_await sys.actors_done();
      }(),
      &log);
  CHECK(log.count("out of paper") >= 1);
}

TEST_CASE("a refusal goes through both worlds and comes back as it was") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    const auto mine = to_caf(spawn<account>());
    const auto front = sys->spawn([mine](event_based_actor* self) -> caf::behavior {
      return {[=](refuse r) { return self->delegate(mine, r); }};
    });
    const auto ref = from_caf<bank>(front);
    auto asked = end_of(ref, refuse{});
    const std::string end = co_await std::move(asked);
    CHECK(end == "rejected: no funds");
  });
}

TEST_CASE(
    "asks that nobody waits for any more are forgotten, although the CAF actor never answers "
    "them") {
  testing::run([]() -> coro<> {
    caf_system sys;
    const auto ref = from_caf<bank>(sys->spawn(caf_account));
    for (int each = 0; each < 1'000; ++each) {
      auto asked = ref.ask(never{}, 1ms);
      asked.cancel();
    }
    const int alive = co_await ref.ask(balance{});
    CHECK(alive == 0);
    ref.stop();
    co_await ref.stopped();
  }());
}

TEST_CASE("tasks of all loops ask one CAF actor a thousand times each") {
  really(
      []() -> coro<> {
        caf_system sys;
        const auto ref = from_caf<bank>(sys->spawn(caf_account));
        const auto ask_often = [](actor_ref<bank> whom) -> coro<int> {
          int sum = 0;
          for (int each = 0; each < 1'000; ++each) {
            auto asked = whom.ask(add{each, 1}, infinite);
            sum += co_await asked - each;
          }
          co_return sum;
        };
        auto all = gather(ask_often(ref), ask_often(ref), ask_often(ref));
        const auto [one, two, three] = co_await std::move(all);
        CHECK(one + two + three == 3'000);
      }(),
      3);
}

TEST_CASE("a system is shut down while tasks ask its actors: each ask ends") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    std::vector<task<std::string>> open;
    std::vector<actor_ref<bank>> refs;
    for (int each = 0; each < 20; ++each) {
      refs.push_back(from_caf<bank>(sys->spawn(caf_account)));
      open.push_back(create_task(end_of(refs.back(), never{}, infinite)));
      open.push_back(create_task(end_of(refs.back(), balance{}, infinite)));
    }
    co_await sleep(0s);
    co_await sys.shutdown();
    for (auto& each : open) {
      const std::string end = co_await each;
      CHECK((end == "0" || end.starts_with("dead: ")));
    }
  });
}

}  // namespace
