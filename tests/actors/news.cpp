// News of ends that nobody wants any more: taken back while they wait, or meant for an object that is gone.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace news {

struct look {};
struct stop_looking {};
struct fall {};
struct say {
  int number;
};
struct rest {};
struct leave {};

class mortal : public actor<protocol<leave>> {
 public:
  void on(leave) { stop(); }
};

using watching = protocol<look, fall, say, rest, down, exited>;

/// Watches somebody when it is told to, and notes what it hears.
class guard : public actor<watching> {
 public:
  guard(journal& into, any_actor of) : into_(into), of_(std::move(of)) { into_.push_back("new"); }
  void on(look) {
    static_cast<void>(monitor(of_));
    link(of_);
  }
  void on(fall) { throw std::runtime_error("no rope"); }
  void on(say s) { into_.push_back(std::to_string(s.number)); }
  coro<> on(rest) {
    co_await sleep(1s);
    throw std::runtime_error("overslept");
  }
  void on(down d) { into_.push_back("down " + d.reason.text()); }
  void on(exited e) { into_.push_back("exited " + e.reason.text()); }

 private:
  journal& into_;
  any_actor of_;
};

/// The same; what it says is handled while it rests.
class open_guard : public guard {
 public:
  using guard::guard;
  using interleave = messages<say>;
};

struct hire {};
template <class Guard>
class chief : public actor<protocol<hire>> {
 public:
  chief(journal& into, any_actor of, const mailbox_options& mailbox, actor_ref<watching>& out) {
    out = this->template supervise<Guard>({.mailbox = mailbox}, std::ref(into), of);
  }
  void on(hire) {}
};

}  // namespace news

using namespace news;

TROUPE_PROGRAM_TEST_CASE("a monitor that a process cancels leaves nothing in its mailbox") {
  using box = mailbox<stop_looking, say, down>;
  int waiting = -1;
  auto body = [&]() -> coro<> {
    auto seen = spawn<mortal>();
    auto by = spawn(
        [&waiting](box& inbox, any_actor of) -> coro<> {
          const monitor_handle first = inbox.monitor(of);
          const monitor_handle second = inbox.monitor(of);
          static_cast<void>(co_await inbox.receive<stop_looking>());
          static_cast<void>(co_await inbox.receive<say>());  // has looked at what lies before it
          first.cancel();
          static_cast<void>(co_await inbox.receive<say>());
          second.cancel();
          waiting = 0;
          while (inbox.try_receive<down>()) ++waiting;
          static_cast<void>(co_await inbox.receive<stop_looking>());
        },
        seen);
    by.tell(stop_looking{});
    co_await settle();
    seen.tell(leave{});
    co_await settle();
    by.tell(say{1});
    co_await settle();
    auto answer = by.stopped();
    by.tell(say{2});
    co_await settle();
    CHECK(by.cell()->messages().empty());
    by.tell(stop_looking{});
    static_cast<void>(co_await answer);
  };
  testing::run(body());
  CHECK(waiting == 0);
}

TROUPE_PROGRAM_TEST_CASE(
    "what a process still waits for is found behind a down that was taken back") {
  using box = mailbox<stop_looking, say, down>;
  journal into;
  auto body = [&]() -> coro<> {
    auto seen = spawn<mortal>();
    auto by = spawn(
        [&into](box& inbox, any_actor of) -> coro<> {
          const monitor_handle set = inbox.monitor(of);
          bool cancelled_it = false;
          while (auto got = co_await inbox.receive<say>(after(1s))) {
            into.push_back(std::to_string(got->number));
            if (!std::exchange(cancelled_it, true)) set.cancel();
          }
        },
        seen);
    co_await settle();
    by.tell(stop_looking{});
    seen.tell(leave{});
    co_await settle();
    for (int number = 1; number < 4; ++number) {
      by.tell(say{number});
      co_await settle();
    }
    auto ended = by.stopped();
    co_await ended;
  };
  testing::run(body());
  CHECK(into == journal{"1", "2", "3"});
}

TROUPE_PROGRAM_TEST_CASE(
    "news of ends that the old object has not handled do not come to the restarted one") {
  for (const std::size_t capacity : {0, 10}) {
    journal into;
    failure_log log;
    auto body = [&]() -> coro<> {
      auto seen = spawn<mortal>();
      actor_ref<watching> by;
      const mailbox_options options{.capacity = capacity};
      auto of = spawn<chief<guard>>(std::ref(into), any_actor(seen), options, std::ref(by));
      by.tell(look{});
      co_await settle();
      by.tell(rest{});  // it crashes at its end
      co_await settle();
      by.tell(say{1});
      seen.tell(leave{});
      co_await settle();
      by.tell(say{2});
      co_await sleep(5s);
      into.push_back("again");
      by.tell(look{});  // monitors and links are those of the new object now
      co_await settle();
      of.stop();
    };
    testing::run(body(), &log);
    CHECK(into == journal{"new", "new", "1", "2", "again", "down stopped", "exited stopped"});
  }
}

TROUPE_PROGRAM_TEST_CASE(
    "news that were passed over while a handler waited do not come to the restarted object") {
  journal into;
  failure_log log;
  auto body = [&]() -> coro<> {
    auto seen = spawn<mortal>();
    actor_ref<watching> by;
    auto of =
        spawn<chief<open_guard>>(std::ref(into), any_actor(seen), mailbox_options(), std::ref(by));
    by.tell(look{});
    co_await settle();
    by.tell(rest{});
    co_await settle();
    seen.tell(leave{});
    co_await settle();
    by.tell(say{1});
    co_await sleep(5s);
    by.tell(say{2});
    co_await settle();
    of.stop();
  };
  testing::run(body(), &log);
  CHECK(into == journal{"new", "1", "new", "2"});
}

TROUPE_PROGRAM_TEST_CASE(
    "news that somebody has passed on by hand are messages like others for a restart") {
  journal into;
  failure_log log;
  auto body = [&]() -> coro<> {
    auto seen = spawn<mortal>();
    actor_ref<watching> by;
    auto of = spawn<chief<guard>>(std::ref(into), any_actor(seen), mailbox_options(), std::ref(by));
    by.tell(rest{});
    co_await settle();
    by.tell(down{seen, exit_reason(exit_reason::kind::killed), {}});
    by.tell(exited{seen, exit_reason(exit_reason::kind::killed)});
    co_await sleep(5s);
    of.stop();
  };
  testing::run(body(), &log);
  CHECK(into == journal{"new", "new", "down killed", "exited killed"});
}

TROUPE_PROGRAM_TEST_CASE("news of ends fit into a full mailbox as urgent messages, too") {
  journal into;
  auto body = [&]() -> coro<> {
    auto seen = spawn<mortal>();
    auto by = spawn<guard>({.mailbox = {.capacity = 1}}, std::ref(into), any_actor(seen));
    by.tell(say{1});
    by.tell(down{seen, exit_reason(exit_reason::kind::killed), {}}, urgent);
    co_await settle();
  };
  testing::run(body());
  CHECK(into == journal{"new", "down killed", "1"});
}
