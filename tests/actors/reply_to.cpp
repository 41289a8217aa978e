#include <troupe/actors/reply_to.hpp>

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

enum class manner {
  at_once,
  later,
  never,
  throws,
  rejects,
  throws_with_kept,
  throws_inside,
  fails
};

struct fetch {
  using reply = int;
  manner how;
};
struct flush {
  using reply = void;
};
struct answer_all {
  int value;
};
struct waiting {
  using reply = int;
};
using source_protocol = protocol<fetch, flush, answer_all, waiting>;

class source : public actor<source_protocol> {
 public:
  void on(fetch f, reply_to<int> reply) {
    switch (f.how) {
      case manner::at_once:
        reply.answer(1);
        break;
      case manner::later:
        waiting_.push_back(std::move(reply));
        break;
      case manner::never:
        break;
      case manner::throws:
        throw std::runtime_error("boom");
      case manner::rejects:
        throw rejected("no");
      case manner::throws_with_kept:
        waiting_.push_back(std::move(reply));
        throw std::runtime_error("boom");
      case manner::fails:
        reply.fail(std::make_exception_ptr(rejected("failed")));
        break;
      case manner::throws_inside:
        try {
          const reply_to<int> taken = std::move(reply);
          throw std::runtime_error("kept inside");
        } catch (const std::runtime_error&) {
        }
        break;
    }
  }
  void on(flush, reply_to<void> reply) { flushing_.emplace(std::move(reply)); }
  void on(answer_all a) {
    for (auto& each : std::exchange(waiting_, {})) each.answer(a.value);
    if (flushing_) flushing_->answer();
    flushing_.reset();
  }
  int on(waiting) {
    int count = 0;
    for (const auto& each : waiting_) count += each ? 1 : 0;
    return count;
  }

 private:
  std::vector<reply_to<int>> waiting_;
  std::optional<reply_to<void>> flushing_;
};

coro<std::string> fetch_in(manner how) {
  auto asked = spawn<source>();
  std::string ended = co_await ending(asked.ask(fetch{how}));
  ended += " / " + co_await ending(asked.ask(fetch{manner::at_once}));
  co_return ended;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a handler that takes a reply_to may answer before it returns") {
  CHECK(testing::run(fetch_in(manner::at_once)) == "1 / 1");
}

TROUPE_PROGRAM_TEST_CASE("a handler may keep its reply_to and answer in another handler") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<source>();
    auto first = asked.ask(fetch{manner::later});
    auto second = asked.ask(fetch{manner::later});
    auto third = asked.ask(flush{});
    co_await settle();
    const bool too_soon = first.done() || second.done() || third.done();
    asked.tell(answer_all{5});
    std::string how = co_await ending(std::move(first));
    how += co_await ending(std::move(second));
    how += co_await ending(std::move(third));
    co_return how + (too_soon ? " too soon" : "");
  };
  CHECK(testing::run(body()) == "55answered");
}

TROUPE_PROGRAM_TEST_CASE("a reply_to that is dropped fails the ask with no_reply") {
  const std::string how = testing::run(fetch_in(manner::never));
  CHECK(starts_with(how, "dropped: "));
  CHECK(how.find("::fetch without an answer (alive, 0 messages queued) / 1") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE("a reply_to can answer with an error") {
  CHECK(testing::run(fetch_in(manner::fails)) == "rejected: failed / 1");
}

TROUPE_PROGRAM_TEST_CASE(
    "a handler that throws with its reply_to in hand answers with what it threw") {
  failure_log log;
  CHECK(starts_with(testing::run(fetch_in(manner::throws), &log), "error: boom / dead: "));
  CHECK(log.count("crashed") == 1);
  CHECK(testing::run(fetch_in(manner::rejects)) == "rejected: no / 1");
}

TROUPE_PROGRAM_TEST_CASE(
    "a handler that crashes after it has put its reply_to away fails the ask") {
  failure_log log;
  const std::string how = testing::run(fetch_in(manner::throws_with_kept), &log);
  CHECK(how.find("without an answer (") != std::string::npos);
  CHECK(log.count("boom") == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "a reply_to that is dropped by an exception which the handler catches fails the ask with "
    "no_reply") {
  const std::string how = testing::run(fetch_in(manner::throws_inside));
  CHECK(starts_with(how, "dropped: "));
  CHECK(how.find("::fetch without an answer (alive, 0 messages queued) / 1") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE("an actor that stops fails the asks that it has kept") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<source>();
    auto kept = asked.ask(fetch{manner::later}, infinite);
    co_await settle();
    asked.stop();
    std::string how = co_await ending(std::move(kept));
    co_return how;
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "dropped: "));
  CHECK(how.find("without an answer (") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE(
    "a reply_to of an ask that was cancelled or timed out says that nobody waits") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<source>();
    auto cancelled_one = asked.ask(fetch{manner::later});
    auto timed_out = asked.ask(fetch{manner::later}, 1s);
    auto waits = asked.ask(fetch{manner::later}, infinite);
    co_await settle();
    cancelled_one.cancel();
    co_await sleep(2s);
    const int left = co_await asked.ask(waiting{});
    asked.tell(answer_all{3});
    std::string how = co_await ending(std::move(waits));
    co_return std::to_string(left) + " waits, " + how;
  };
  CHECK(testing::run(body()) == "1 waits, 3");
}

TROUPE_PROGRAM_TEST_CASE("a request that was told gives an empty reply_to") {
  auto body = []() -> coro<int> {
    auto asked = spawn<source>();
    asked.tell(fetch{manner::at_once});
    asked.tell(fetch{manner::later});
    asked.tell(flush{});
    asked.tell(answer_all{1});
    const int left = co_await asked.ask(waiting{});
    co_return left;
  };
  CHECK(testing::run(body()) == 0);
}

TEST_CASE(
    "a message that throws when it is moved to a handler with a reply_to crashes the actor and "
    "fails the ask") {
  struct fragile {
    using reply = int;
    explicit fragile(int given_moves) : moves(given_moves) {}
    fragile(fragile&& other) : moves(other.moves - 1) {
      if (moves < 0) throw std::runtime_error("broke");
    }
    int moves;
  };
  struct handler : actor<protocol<fragile>> {
    void on(const fragile&, reply_to<int> reply) { reply.answer(1); }
  };
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto told = spawn<handler>();
    told.tell(fragile(1));
    auto asked = spawn<handler>();
    auto answer = asked.ask(fragile(1));
    std::string how = co_await ending(std::move(answer));
    co_return how;
  };
  CHECK(testing::run(body(), &log) == "error: broke");
  CHECK(log.count("broke") == 2);
}

TEST_CASE("a reply_to answers an ask of another loop") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<source>(place::on(1));
    auto kept = asked.ask(fetch{manner::later}, infinite);
    std::string how = co_await ending(asked.ask(fetch{manner::at_once}, infinite));
    how += co_await ending(asked.ask(fetch{manner::never}, infinite));
    asked.tell(answer_all{7});
    how += co_await ending(std::move(kept));
    co_return how;
  };
  const std::string how = run_on(2, body());
  CHECK(starts_with(how, "1dropped: "));
  CHECK(how.find("::fetch without an answer (") != std::string::npos);
  CHECK(how.back() == '7');
}
