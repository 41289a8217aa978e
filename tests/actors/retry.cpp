// The message that was in hand when a supervised actor fell, and that is tried again.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/delegate.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct job {
  std::string text;
  int failures;  ///< how many times it fails
};
struct sum {
  using reply = std::string;
  std::string text;
  int failures;
};
struct slow_sum {
  using reply = std::string;
  std::string text;
  int failures;
};
struct later_sum {
  using reply = std::string;
  std::string text;
  int failures;
};
struct kept_sum {
  using reply = std::string;
};
struct parcel {
  std::unique_ptr<int> content;
};
struct refusal {
  using reply = int;
};
using work_protocol = protocol<job, sum, slow_sum, later_sum, kept_sum, parcel, refusal>;

/// Notes what it does; each text fails as often as its message says.
struct record {
  journal done;
  std::vector<std::pair<std::string, int>> tries;
  int begin(const std::string& text) {
    for (auto& [known, times] : tries)
      if (known == text) return ++times;
    tries.emplace_back(text, 1);
    return 1;
  }
};

class worker : public actor<work_protocol> {
 public:
  explicit worker(record& into) : into_(into) {}
  void on(job j) { attempt(std::move(j.text), j.failures); }
  std::string on(sum s) { return attempt(std::move(s.text), s.failures); }
  coro<std::string> on(slow_sum s) {
    co_await sleep(1s);
    co_return attempt(std::move(s.text), s.failures);
  }
  void on(later_sum s, reply_to<std::string> answer) {
    answer.answer(attempt(std::move(s.text), s.failures));
  }
  void on(kept_sum, reply_to<std::string> answer) {
    kept_ = std::move(answer);
    attempt("kept", 9);
  }
  void on(parcel) { attempt("parcel", 9); }
  int on(refusal) {
    into_.begin("refusal");
    throw rejected("no");
  }

 private:
  std::string attempt(std::string text, int failures) {
    const int times = into_.begin(text);
    into_.done.push_back(text + " " + std::to_string(times));
    if (times <= failures) throw std::runtime_error(text + " failed");
    return text + " done";
  }
  record& into_;
  reply_to<std::string> kept_;
};

struct give {
  using reply = actor_ref<work_protocol>;
};
class boss : public actor<protocol<give>> {
 public:
  boss(record& into, const child_options& how) { child_ = supervise<worker>(how, std::ref(into)); }
  actor_ref<work_protocol> on(give) { return child_; }

 private:
  actor_ref<work_protocol> child_;
};

using scene = coro<> (*)(actor_ref<work_protocol>);
coro<> run_scene(record& into, scene each, child_options how) {
  const auto parent = spawn<boss>(std::ref(into), how);
  auto child = co_await parent.ask(give{});
  co_await each(child);
  co_await sleep(1min);
}
record play(scene each, const child_options& how = {.message = in_hand::retry_once}) {
  record into;
  failure_log log;
  testing::run(run_scene(into, each, how), &log);
  return into;
}

}  // namespace

TEST_CASE("a told message that failed is tried again by the new object, before all that wait") {
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          child.tell(job{"one", 1});
          child.tell(job{"two", 0});
          co_return;
        }).done == journal{"one 1", "one 2", "two 1"});
}

TEST_CASE("a message that fails twice is lost, and the next is handled") {
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          child.tell(job{"one", 9});
          child.tell(job{"two", 1});
          co_return;
        }).done == journal{"one 1", "one 2", "two 1", "two 2"});
}

TEST_CASE("without retry the message in hand is lost") {
  CHECK(play(
            [](actor_ref<work_protocol> child) -> coro<> {
              child.tell(job{"one", 1});
              child.tell(job{"two", 0});
              co_return;
            },
            {})
            .done == journal{"one 1", "two 1"});
}

TEST_CASE("who asks gets the answer of the second try, or the error of that") {
  const record seen = play([](actor_ref<work_protocol> child) -> coro<> {
    for (const int failures : {0, 1, 9}) {
      const std::string name = "f" + std::to_string(failures);
      const auto is_right = [failures](const std::string& end, const std::string& text) {
        return end == (failures < 2 ? text + " done" : "error: " + text + " failed");
      };
      const auto outcome = [](future<std::string> answer) -> coro<std::string> {
        try {
          co_return co_await answer;
        } catch (const std::exception& error) {
          co_return std::string("error: ") + error.what();
        }
      };
      auto plain = child.ask(sum{name, failures});
      std::string end = co_await outcome(std::move(plain));
      CHECK(is_right(end, name));
      co_await sleep(1min);  // the limit on restarts looks at the last seconds
      auto slow = child.ask(slow_sum{"s" + name, failures}, 10s);
      end = co_await outcome(std::move(slow));
      CHECK(is_right(end, "s" + name));
      co_await sleep(1min);
      auto later = child.ask(later_sum{"l" + name, failures});
      end = co_await outcome(std::move(later));
      CHECK(is_right(end, "l" + name));
      co_await sleep(1min);
    }
  });
  CHECK(seen.tries.size() == 9);
}

TEST_CASE("an ask that is withdrawn before its second try is not tried again") {
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          auto answer = child.ask(slow_sum{"one", 1}, 10s);
          co_await sleep(500ms);
          answer.cancel();
          co_await sleep(2s);
          child.tell(job{"two", 0});
        }).done == journal{"one 1", "two 1"});
}

TEST_CASE("a message that cannot be copied, and a refused one, are not tried again") {
  const record seen = play([](actor_ref<work_protocol> child) -> coro<> {
    child.tell(parcel{std::make_unique<int>(1)});
    co_await settle();
    const std::string end = co_await ending(child.ask(refusal{}));
    CHECK(end == "rejected: no");
  });
  CHECK(seen.tries == std::vector<std::pair<std::string, int>>{{"parcel", 1}, {"refusal", 1}});
}

TEST_CASE(
    "a request whose reply the handler had put elsewhere is not tried again, and its ask fails") {
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          const std::string end = co_await ending(child.ask(kept_sum{}));
          CHECK(starts_with(end, "dropped: "));
        }).done == journal{"kept 1"});
}

TEST_CASE(
    "a coroutine handler that a stop of the child cancels is tried again when it comes back") {
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          auto answer = child.ask(slow_sum{"one", 0}, 10s);
          co_await sleep(500ms);
          child.stop();  // permanent: it comes back
          const std::string text = co_await answer;
          CHECK(text == "one done");
        }).done == journal{"one 1"});
}

TEST_CASE(
    "when restarts are exhausted the message that was to be tried again fails with the actor") {
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          for (const char* name : {"a", "b", "c", "d"}) child.tell(job{name, 1});
          auto answer = child.ask(sum{"e", 0});
          const std::string end = co_await ending(std::move(answer));
          CHECK(starts_with(end, "dead: "));
        }).done == journal{"a 1", "a 2", "b 1", "b 2", "c 1", "c 2", "d 1"});
}

TEST_CASE("a message that is tried again counts in a mailbox with a bound, and in its limits") {
  CHECK(play(
            [](actor_ref<work_protocol> child) -> coro<> {
              for (int round = 0; round < 3; ++round) {
                const std::string name = std::to_string(round);
                child.tell(job{name, 1});
                co_await settle();
                auto sent = child.send(job{name + "b", 0});
                co_await sent;
                co_await settle();
              }
            },
            {.message = in_hand::retry_once,
             .mailbox = {.capacity = 1, .when_full = overflow::suspend}})
            .done == journal{"0 1", "0 2", "0b 1", "1 1", "1 2", "1b 1", "2 1", "2 2", "2b 1"});
}

TEST_CASE("an urgent message that falls first does not let another be tried a third time") {
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          child.tell(job{"slow", 9});
          co_await settle();
          co_return;
        }).done == journal{"slow 1", "slow 2"});
  CHECK(play([](actor_ref<work_protocol> child) -> coro<> {
          child.tell(job{"first", 9});
          child.tell(job{"urgent", 1}, urgent);
          co_return;
        }).done == journal{"urgent 1", "urgent 2", "first 1", "first 2"});
}
