// The code of docs/actors.md, second part: life, supervision, processes, timers, stash. The regions are copied there.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <optional>
#include <string>
#include <utility>
#include <variant>

using namespace troupe;
using namespace troupe::testing;

namespace guide_life {

// [hooks]
struct row {
  int value;
};
struct rows {
  using reply = int;
};
struct tear {};
using storing = protocol<row, rows, tear>;

class store : public actor<storing> {
 public:
  coro<> on_start() { co_await sleep(20ms); }  // opens a file; messages wait until it has ended
  void on(row r) { sum_ += r.value; }
  int on(rows) { return sum_; }
  void on(tear) { throw std::runtime_error("the file is torn"); }
  coro<> on_stop() { co_await sleep(20ms); }  // closes it; its children have stopped by now

 private:
  int sum_ = 0;
};
// [/hooks]

// [ends]
coro<std::string> end_them() {
  auto one = spawn<store>({.name = "one"});
  auto two = spawn<store>();
  auto three = spawn<store>();
  one.stop();                 // what waits in the mailbox is refused
  two.stop_when_drained(1s);  // first what waits, for a second at most, and nothing new
  three.kill();               // no on_stop; coroutines are cancelled for good
  const exit_reason first = co_await one.stopped();
  const exit_reason second = co_await two.stopped();
  const exit_reason third = co_await three.stopped();
  co_return first.text() + ", " + second.text() + ", " + third.text();
}
// [/ends]

// [monitor]
struct ends_seen {
  using reply = std::string;
};

class witness : public actor<protocol<down, ends_seen>> {
 public:
  explicit witness(const any_actor& who) { monitor(who); }
  void on(down d) { seen_ = d.who.description() + ": " + d.reason.text(); }
  std::string on(ends_seen) { return seen_; }

 private:
  std::string seen_;
};
// [/monitor]

// [link]
class partner : public actor<protocol<>> {  // falls with the other
 public:
  explicit partner(const any_actor& other) { link(other); }
};
class widow : public actor<protocol<exited, ends_seen>> {  // is told, and goes on
 public:
  explicit widow(const any_actor& other) { link(other); }
  void on(exited e) { seen_ = e.reason.text(); }
  std::string on(ends_seen) { return seen_; }

 private:
  std::string seen_;
};
// [/link]

// [process]
struct coin {};
struct choose {
  using reply = std::string;
  int product;
};
struct cancel {};

coro<> vending_machine(mailbox<coin, choose, cancel>& inbox, int price) {
  for (;;) {
    for (int paid = 0; paid < price; ++paid) {
      co_await inbox.receive<coin>();  // what else comes meanwhile waits, in order
    }
    auto wanted = co_await inbox.receive<choose, cancel>(after(30s));
    if (!wanted) continue;  // nobody is there any more
    if (auto* chosen = std::get_if<asked<choose>>(&*wanted)) {
      chosen->reply.answer("number " + std::to_string(chosen->message.product));
    }
  }
}
// [/process]

// [supervision]
class shop : public actor<storing> {
 public:
  shop() {
    supervise_as({.how = strategy::rest_for_one,  // with who falls, those started after it
                  .max_restarts = 5,
                  .within = 10s,
                  .delay = {.first = 100ms, .most = 5s}});
    stock_ = supervise<store>({.name = "stock"});
    supervise({.name = "machine"}, &vending_machine, 2);                   // a process
    supervise_task({.when = restart::transient}, [] { return sweep(); });  // a coroutine
  }
  void on(row r) { stock_.tell(r); }
  void on(rows r, reply_to<int> answer) { delegate(stock_, r, std::move(answer)); }
  void on(tear t) { stock_.tell(t); }  // the stock falls, and starts again with the same ref

 private:
  static coro<> sweep() { co_await sleep(1s); }
  actor_ref<storing> stock_;
};
// [/supervision]

// [timers]
struct beat {};
struct answer_came {};
struct give_up {};
struct beats {
  using reply = int;
};

class waiter : public actor<protocol<beat, answer_came, give_up, beats>> {
 public:
  void on_start() {
    start_periodic_timer("beat", 1s, beat{});
    start_timer({"order", 17}, 5s, give_up{});  // the key has a number where there are many
    set_idle_timeout(1min);                     // then on_idle, which stops it unless replaced
  }
  void on(beat) { ++beats_; }
  void on(answer_came) { cancel_timer({"order", 17}); }  // give_up never comes after this
  void on(give_up) { stop(); }
  int on(beats) { return beats_; }

 private:
  int beats_ = 0;
};
// [/timers]

// [stash]
struct connected {};
struct query {
  using reply = int;
  int number;
};

class client : public actor<protocol<connected, query>> {
 public:
  void on(connected) {
    ready_ = true;
    unstash_all();  // before all that waits in the mailbox, in the order they came
  }
  void on(query q, reply_to<int> answer) {
    if (ready_) return answer.answer(q.number * 2);
    stash(q, std::move(answer));  // at most set_stash_capacity, else it is rejected
  }

 private:
  bool ready_ = false;
};
// [/stash]

}  // namespace guide_life

using namespace guide_life;

TEST_CASE("the guide's actors start and end as it says") {
  auto body = []() -> coro<> {
    const std::string how = co_await end_them();
    CHECK(how == "stopped, stopped, killed");
  };
  testing::run(body());
}

TEST_CASE("the guide's monitors and links hear of a crash") {
  failure_log log;
  auto body = []() -> coro<> {
    auto torn = spawn<store>({.name = "torn"});
    auto watching = spawn<witness>(torn);
    auto bound = spawn<partner>(torn);
    auto left = spawn<widow>(torn);
    torn.tell(tear{});
    const exit_reason fell = co_await bound.stopped();
    CHECK(fell.failed());
    std::string seen = co_await watching.ask(ends_seen{});
    CHECK(seen == "guide_life::store 'torn': crashed: std::runtime_error: the file is torn");
    seen = co_await left.ask(ends_seen{});
    CHECK(seen == "crashed: std::runtime_error: the file is torn");
  };
  testing::run(body(), &log);
  CHECK(log.count("link") >= 1);
}

TEST_CASE("the guide's shop goes on when its stock has crashed") {
  failure_log log;
  auto body = []() -> coro<> {
    auto open = spawn<shop>();
    open.tell(row{3});
    int sum = co_await open.ask(rows{});
    CHECK(sum == 3);
    open.tell(tear{});
    open.tell(row{4});  // the new object gets it
    sum = co_await open.ask(rows{});
    CHECK(sum == 4);
  };
  testing::run(body(), &log);
  CHECK(log.count("torn") >= 1);
}

TEST_CASE("the guide's vending machine takes coins first") {
  auto body = []() -> coro<> {
    auto machine = spawn(vending_machine, 2);
    auto wish = machine.ask(choose{.product = 7});
    machine.tell(coin{});
    machine.tell(coin{});
    const std::string got = co_await wish;
    CHECK(got == "number 7");
  };
  testing::run(body());
}

TEST_CASE("the guide's timers come until they are cancelled") {
  auto body = []() -> coro<> {
    auto patient = spawn<waiter>();
    co_await sleep(3500ms);
    patient.tell(answer_came{});
    co_await sleep(3s);
    const int count = co_await patient.ask(beats{});
    CHECK(count == 6);
    const time_point before = loop::current()->time();
    co_await patient.stopped();
    CHECK(loop::current()->time() - before == 1min);
    auto hasty = spawn<waiter>();
    const time_point begun = loop::current()->time();
    co_await hasty.stopped();
    CHECK(loop::current()->time() - begun == 5s);
  };
  testing::run(body());
}

TEST_CASE("the guide's client answers what it had put aside") {
  auto body = []() -> coro<> {
    auto one = spawn<client>();
    auto early = one.ask(query{.number = 1});
    one.tell(connected{});
    const int answer = co_await early;
    CHECK(answer == 2);
  };
  testing::run(body());
}
