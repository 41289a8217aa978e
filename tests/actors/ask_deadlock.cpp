// Handlers that wait for each other's answers in a circle are told so at once; those that only seem to are not.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/delegate.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/runtime/as_completed.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/timeout.hpp>
#include <troupe/runtime/wait.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace deadlocks {

enum class manner {
  directly,
  nested,
  with_time_limit,
  in_a_scope,
  gathered,
  gathered_coroutine,
  own_task,
  in_a_group,
  shielded,
  all_of_several,
  kept_then_awaited,
  kept,  // and never awaited
  first_of_several,
  first_completed,
  told,
};

struct credit {
  using reply = int;
  int depth = 0;
};
struct balance {
  using reply = int;
};
struct transfer;
struct meet;
using bank = protocol<credit, balance, transfer, meet>;

struct transfer {
  using reply = int;
  transfer(std::vector<actor_ref<bank>> given, manner given_how)
      : way(std::move(given)), how(given_how) {}
  std::vector<actor_ref<bank>> way;  // the next is asked the rest; the last one its balance
  manner how;
};
struct meet {
  explicit meet(actor_ref<bank> given) : friend_(std::move(given)) {}
  actor_ref<bank> friend_;
};

class account : public actor<bank> {
 public:
  int on(credit) { return 1; }
  int on(balance) { return 2; }
  void on(meet m) { friend_ = std::move(m.friend_); }
  coro<int> on(transfer t) {
    if (t.way.empty()) co_return 10;
    actor_ref<bank> next = t.way.front();
    const manner how = t.how;
    if (t.way.size() == 1) {
      const int last = co_await by(next, how);
      co_return last;
    }
    t.way.erase(t.way.begin());
    const int rest = co_await next.ask(std::move(t), infinite);
    co_return rest + 1;
  }

 private:
  coro<int> by(actor_ref<bank> next, manner how) {
    switch (how) {
      case manner::directly:
        co_return co_await next.ask(balance{}, infinite);
      case manner::nested: {
        auto inner = by(next, manner::directly);
        const int value = co_await std::move(inner);
        co_return value;
      }
      case manner::with_time_limit:
        co_return co_await next.ask(balance{}, 1h);
      case manner::in_a_scope: {
        auto inner = by(next, manner::directly);
        const int value = co_await timeout(1h, std::move(inner));
        co_return value;
      }
      case manner::gathered: {
        auto both = gather(next.ask(balance{}, infinite), next.ask(credit{}, 1h));
        auto [a, b] = co_await std::move(both);
        co_return a + b;
      }
      case manner::gathered_coroutine: {
        auto both = gather(by(next, manner::nested), by(next, manner::with_time_limit));
        auto [a, b] = co_await std::move(both);
        co_return a + b;
      }
      case manner::own_task: {
        auto running = create_task(by(next, manner::directly));
        co_await sleep(1s);
        const int value = co_await running;
        co_return value;
      }
      case manner::in_a_group: {
        task_group group;
        std::optional<task<int>> made;
        auto body = [&]() -> coro<> {
          made = group.create_task(by(next, manner::directly));
          co_return;
        };
        auto running_group = group.run(body);
        co_await std::move(running_group);
        co_return made->result();
      }
      case manner::shielded: {
        auto inner = shield(by(next, manner::directly));
        const int value = co_await std::move(inner);
        co_return value;
      }
      case manner::all_of_several: {
        std::vector<future<int>> asked{next.ask(balance{}, infinite)};
        auto waiting = wait(asked);
        static_cast<void>(co_await std::move(waiting));
        co_return asked.front().result();
      }
      case manner::kept_then_awaited: {
        auto asked = next.ask(balance{}, infinite);
        co_await sleep(1s);
        const int value = co_await asked;
        co_return value;
      }
      case manner::kept: {
        auto asked = next.ask(balance{}, infinite);
        co_await sleep(1s);
        co_return 20;
      }
      case manner::first_of_several: {
        std::vector<future<int>> asked{next.ask(balance{}, infinite), friend_.ask(balance{}, 10s)};
        wait_options options;
        options.return_when = return_when::first_completed;
        auto waiting = wait(std::move(asked), options);
        static_cast<void>(co_await std::move(waiting));
        co_return 30;
      }
      case manner::first_completed: {
        std::vector<future<int>> asked{next.ask(balance{}, infinite), friend_.ask(balance{}, 10s)};
        auto each = as_completed(std::move(asked));
        static_cast<void>(co_await each.next());
        co_return 40;
      }
      case manner::told:
        next.tell(credit{});
        co_return 50;
    }
    co_return 0;
  }

  actor_ref<bank> friend_;
};

/// How a transfer through two accounts and back to the first ends, and when.
std::string round_trip(manner how) {
  auto body = [](manner chosen) -> coro<std::string> {
    auto a = spawn<account>({.name = "a"});
    auto b = spawn<account>({.name = "b"});
    auto c = spawn<account>({.name = "c"});
    b.tell(meet(c));
    const time_point before = loop::current()->time();
    auto asked = a.ask(transfer({b, a}, chosen), infinite);
    std::string ended = co_await ending(std::move(asked));
    co_return ended + " after " +
        std::to_string((loop::current()->time() - before) / duration(1s)) + " s";
  };
  return run_quietly(body(how));
}

bool is_deadlock(const std::string& ended) { return starts_with(ended, "deadlock: "); }

}  // namespace deadlocks

using namespace deadlocks;

TEST_CASE("a circle of handlers that await each other's answers is reported at once, spelled out") {
  const std::string a = "deadlocks::account 'a'";
  const std::string b = "deadlocks::account 'b'";
  CHECK(round_trip(manner::directly) ==
        "deadlock: " + b + " handling deadlocks::transfer asks " + a +
            " (deadlocks::balance), which handling deadlocks::transfer asks " + b +
            " (deadlocks::transfer), which waits for the first handler to end after 0 s");
}

TEST_CASE("a deadlock is seen through nested coroutines, time limits, gathers, groups and tasks") {
  for (const manner how : {manner::nested, manner::with_time_limit, manner::in_a_scope,
                           manner::gathered, manner::gathered_coroutine, manner::all_of_several}) {
    CAPTURE(static_cast<int>(how));
    const std::string ended = round_trip(how);
    CHECK(is_deadlock(ended));
    CHECK(ended.find("after 0 s") != std::string::npos);
  }
  const std::string group = round_trip(manner::in_a_group);
  CHECK(group.find("deadlock: ") != std::string::npos);
}

TEST_CASE("a deadlock that closes only when a kept answer, or a task, is awaited is seen then") {
  for (const manner how : {manner::own_task, manner::kept_then_awaited}) {
    CAPTURE(static_cast<int>(how));
    const std::string ended = round_trip(how);
    CHECK(is_deadlock(ended));
    CHECK(ended.find("after 1 s") != std::string::npos);
  }
}

TEST_CASE("who awaits the first of several, or only holds an answer to come, is in no deadlock") {
  CHECK(round_trip(manner::kept) == "21 after 1 s");
  CHECK(round_trip(manner::first_of_several) == "31 after 0 s");
  CHECK(round_trip(manner::first_completed) == "41 after 0 s");
  CHECK(round_trip(manner::told) == "51 after 0 s");
}

TEST_CASE("an actor that waits in its handler for an answer of its own is told so") {
  auto body = []() -> coro<std::string> {
    auto a = spawn<account>({.name = "a"});
    auto first = a.ask(transfer({a}, manner::directly), infinite);
    std::string ended = co_await ending(std::move(first));
    co_return ended;
  };
  CHECK(run_quietly(body()) ==
        "deadlock: deadlocks::account 'a' handling deadlocks::transfer asks deadlocks::account 'a' "
        "(deadlocks::balance), which waits for this handler to end");
}

namespace {

struct look {
  using reply = int;
};
struct long_look {
  using reply = int;
};
struct hold {
  using reply = int;
};
struct give {};
struct visit;
using host_protocol = protocol<look, long_look, hold, give, visit>;
struct visit {
  using reply = std::string;
  visit(actor_ref<host_protocol> given, int given_what)
      : whom(std::move(given)), what(given_what) {}
  actor_ref<host_protocol> whom;
  int what;
};

class host : public actor<host_protocol> {
 public:
  using interleave = messages<look, long_look>;
  int on(look) { return 1; }
  coro<int> on(long_look) {
    co_await sleep(1s);
    co_return 2;
  }
  void on(hold, reply_to<int> answer) { held_ = std::move(answer); }
  void on(give) { held_.answer(7); }
  coro<std::string> on(visit v) {
    if (v.what == 1) {
      auto asked = v.whom.ask(look{}, infinite);
      std::string how = co_await ending(std::move(asked));
      co_return how;
    }
    if (v.what == 2) {
      auto asked = v.whom.ask(long_look{}, infinite);
      std::string how = co_await ending(std::move(asked));
      co_return how;
    }
    if (v.what == 3) {
      auto asked = v.whom.ask(hold{}, 10s);
      std::string how = co_await ending(std::move(asked));
      co_return how;
    }
    auto asked = v.whom.ask(visit(self(), v.what - 10), infinite);
    std::string how = co_await asked;
    co_return how;
  }

 private:
  reply_to<int> held_;
};

std::string visit_of(int what, bool to_itself) {
  auto body = [](int chosen, bool own) -> coro<std::string> {
    auto a = spawn<host>();
    auto b = spawn<host>();
    auto asked = a.ask(visit(own ? a : b, chosen), infinite);
    std::string how = co_await std::move(asked);
    co_return how;
  };
  return testing::run(body(what, to_itself));
}

}  // namespace

TEST_CASE("a message that is interleaved closes no deadlock, be its handler a coroutine or not") {
  CHECK(visit_of(1, true) == "1");
  CHECK(visit_of(2, true) == "2");
  CHECK(visit_of(11, false) == "1");
  CHECK(visit_of(12, false) == "2");
}

TROUPE_PROGRAM_TEST_CASE("a request that is kept for later closes no deadlock") {
  auto body = []() -> coro<std::string> {
    auto a = spawn<host>();
    auto b = spawn<host>();
    auto asked = a.ask(visit(b, 3), infinite);
    co_await settle();
    b.tell(give{});
    std::string how = co_await std::move(asked);
    co_return how;
  };
  CHECK(testing::run(body()) == "7");
}

namespace {

struct start_with {
  using reply = int;
};
struct late_starter : actor<protocol<balance>> {
  explicit late_starter(actor_ref<protocol<start_with>> parent) : parent_(std::move(parent)) {}
  coro<> on_start() {
    auto asked = parent_.ask(start_with{}, infinite);
    std::string how = co_await ending(std::move(asked));
    how_ = how;
  }
  int on(balance) { return starts_with(how_, "deadlock: ") ? 1 : 0; }
  actor_ref<protocol<start_with>> parent_;
  std::string how_;
};
struct eager_parent : actor<protocol<start_with>> {
  coro<int> on(start_with) {
    auto child = spawn<late_starter>(self());
    const int value = co_await child.ask(balance{}, infinite);
    co_return value;
  }
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "an actor whose on_start asks the parent that waits for it is in a deadlock") {
  auto body = []() -> coro<int> {
    auto parent = spawn<eager_parent>();
    const int seen = co_await parent.ask(start_with{}, infinite);
    co_return seen;
  };
  CHECK(testing::run(body()) == 1);
}

TEST_CASE("a chain of a thousand handlers that wait is searched and found open, then closed") {
  auto body = []() -> coro<std::string> {
    std::vector<actor_ref<bank>> way;
    auto first = spawn<account>();
    for (int index = 0; index < 1000; ++index) way.push_back(spawn<account>());
    auto open = first.ask(transfer(way, manner::directly), infinite);
    std::string how = co_await ending(std::move(open));
    way.push_back(way.front());
    auto closed = first.ask(transfer(way, manner::directly), infinite);
    const std::string second = co_await ending(std::move(closed));
    co_return how + " " + second.substr(0, 10);
  };
  CHECK(run_quietly(body()) == "1001 deadlock: ");
}
