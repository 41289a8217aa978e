// The code of docs/actors.md, first part: messages, asks, mailboxes. The regions are copied there.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace guide_messages {

// [messages]
struct resize {  // told: nobody waits for an answer
  int width;
  int height;
};
struct area {  // asked: it names its reply
  using reply = int;
};
struct title {
  using reply = void;  // the answer says only that it was done
  explicit title(std::string given) : text(std::move(given)) {}
  std::string text;
};
using drawing = protocol<resize, area, title>;

class canvas : public actor<drawing> {
 public:
  void on(resize r) {
    if (r.width < 0) throw std::logic_error("turned inside out");  // a crash
    width_ = r.width;
    height_ = r.height;
  }
  int on(area) { return width_ * height_; }
  coro<> on(title t) {  // a handler may wait; the next message waits too
    if (t.text.empty()) throw rejected("a title needs a letter");  // an answer: it lives on
    co_await sleep(10ms);
    title_ = std::move(t.text);
  }

 private:
  int width_ = 1;
  int height_ = 1;
  std::string title_;
};
// [/messages]

// [narrow]
coro<int> measure(actor_ref<protocol<area>> something) {  // whoever has an area will do
  co_return co_await something.ask(area{});
}
// [/narrow]

// [ask]
coro<std::string> rename_it(actor_ref<drawing> which, std::string name) {
  try {
    co_await which.ask(title(std::move(name)), 2s);
  } catch (const rejected& refusal) {  // the handler said no
    co_return refusal.what();
  } catch (const ask_error& error) {  // no answer: see the table below
    const failed_ask& ask = error.ask();
    co_return ask.target + " did not take " + ask.message + ": " + ask.state;
  }
  co_return "done";
}
// [/ask]

// [reply_to]
struct page {
  using reply = int;  // its number
};
struct paper {
  int sheets;
};

class printer : public actor<protocol<page, paper>> {
 public:
  void on(page, reply_to<int> answer) { waiting_.push_back(std::move(answer)); }
  void on(paper p) {
    for (; p.sheets > 0 && !waiting_.empty(); --p.sheets) {
      waiting_.front().answer(++printed_);
      waiting_.erase(waiting_.begin());
    }
  }

 private:
  std::vector<reply_to<int>> waiting_;
  int printed_ = 0;
};
// [/reply_to]

// [delegate]
class office : public actor<protocol<page>> {
 public:
  explicit office(actor_ref<protocol<page>> machine) : machine_(std::move(machine)) {}
  void on(page p, reply_to<int> answer) { delegate(machine_, p, std::move(answer)); }

 private:
  actor_ref<protocol<page>> machine_;
};
// [/delegate]

// [interleave]
struct progress {
  using reply = int;
};

class secretary : public actor<protocol<page, progress>> {
 public:
  using interleave = messages<progress>;  // handled also while on(page) waits

  explicit secretary(actor_ref<protocol<page>> machine) : machine_(std::move(machine)) {}
  coro<int> on(page p) {
    const int number = co_await machine_.ask(p);
    done_ = number;
    co_return number;
  }
  int on(progress) { return done_; }

 private:
  actor_ref<protocol<page>> machine_;
  int done_ = 0;
};
// [/interleave]

// [deadlock]
struct greet {
  using reply = int;
};
struct meet;
using polite = protocol<greet, meet>;
struct meet {
  actor_ref<polite> other;
};

class guest : public actor<polite> {
 public:
  void on(meet m) { other_ = std::move(m.other); }
  coro<int> on(greet) { co_return co_await other_.ask(greet{}); }  // greets when greeted

 private:
  actor_ref<polite> other_;
};
// [/deadlock]

// [mailbox]
struct line {
  explicit line(std::string given) : text(std::move(given)) {}
  std::string text;
};
struct tick {};
struct halt {};
using writing = protocol<line, tick, halt>;

class writer : public actor<writing> {
 public:
  static constexpr mailbox_options mailbox{.capacity = 100, .when_full = overflow::suspend};
  static constexpr message_limit limits[] = {limit<tick>(1, overflow::drop_oldest)};

  coro<> on(line l) {
    co_await sleep(1ms);  // a slow disk
    written_ += l.text.size();
  }
  void on(tick) {}
  void on(halt) { stop(); }

 private:
  std::size_t written_ = 0;
};

coro<> fill(actor_ref<writing> to) {
  for (int i = 0; i < 1000; ++i) {
    auto taken = to.send(line("ten bytes\n"));  // done when it lies in the mailbox
    co_await taken;
  }
}
// [/mailbox]

}  // namespace guide_messages

using namespace guide_messages;

TEST_CASE("the guide's messages, asks and errors do as it says") {
  failure_log log;
  auto body = []() -> coro<> {
    auto sheet = spawn<canvas>({.name = "sheet"});
    sheet.tell(resize{3, 4});
    const int size = co_await measure(sheet);
    CHECK(size == 12);
    std::string outcome = co_await rename_it(sheet, "tree");
    CHECK(outcome == "done");
    outcome = co_await rename_it(sheet, "");
    CHECK(outcome == "a title needs a letter");
    sheet.tell(resize{-1, 0});
    co_await sleep(1ms);
    outcome = co_await rename_it(sheet, "root");
    CHECK(outcome == "guide_messages::canvas 'sheet' did not take guide_messages::title: dead");
  };
  testing::run(body(), &log);
  CHECK(log.count("turned inside out") == 1);
}

TEST_CASE("the guide's ways to answer later do as it says") {
  auto body = []() -> coro<> {
    auto machine = spawn<printer>();
    auto front = spawn<office>(machine);
    auto second = spawn<secretary>(machine);
    auto one = front.ask(page{});
    auto two = second.ask(page{});
    int done = co_await second.ask(progress{});
    CHECK(done == 0);
    machine.tell(paper{2});
    const int first = co_await one;
    const int next = co_await two;
    CHECK(first + next == 3);
    done = co_await second.ask(progress{});
    CHECK(done == next);
  };
  testing::run(body());
}

TEST_CASE("the guide's circle of asks is found at once, and spelled out") {
  auto body = []() -> coro<std::string> {
    auto ann = spawn<guest>({.name = "ann"});
    auto bob = spawn<guest>({.name = "bob"});
    ann.tell(meet{bob});
    bob.tell(meet{ann});
    const time_point before = loop::current()->time();
    std::string said;
    try {
      co_await ann.ask(greet{});
    } catch (const ask_deadlock& error) {
      said = error.what();
    }
    CHECK(loop::current()->time() == before);
    co_return said;
  };
  failure_log log;
  CHECK(
      testing::run(body(), &log) ==
      "deadlock: guide_messages::guest 'bob' handling guide_messages::greet asks "
      "guide_messages::guest 'ann' (guide_messages::greet), which handling guide_messages::greet "
      "asks guide_messages::guest 'bob' (guide_messages::greet), which waits for the first handler "
      "to end");
}

TEST_CASE("the guide's bounded writer slows its sender down") {
  auto body = []() -> coro<> {
    auto disk = spawn<writer>();
    const time_point before = loop::current()->time();
    co_await fill(disk);
    CHECK(loop::current()->time() - before > 850ms);
    disk.tell(line("lost"));  // full, and a tell cannot wait: a dead letter
    CHECK(counts_of_loop().dead_letters == 1);
    co_await sleep(2ms);
    disk.tell(halt{}, urgent);  // there is room, and it goes first
    const exit_reason how = co_await disk.stopped();
    CHECK(how.text() == "stopped");
  };
  testing::run(body());
}
