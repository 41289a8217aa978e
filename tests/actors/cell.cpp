#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/cell.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  std::string text;
};
struct wait_and_note {
  std::string text;
  duration time = 1s;
};
struct flood {};
struct turns {
  using reply = int;
};

class scribe : public actor<protocol<note, wait_and_note>> {
 public:
  explicit scribe(journal& pages) : pages_(pages) {}
  void on(note n) { pages_.push_back(n.text); }
  coro<> on(const wait_and_note& w) {
    pages_.push_back("begin " + w.text);
    co_await sleep(w.time);
    pages_.push_back("end " + w.text);
  }

 private:
  journal& pages_;
};

std::uint64_t dead_letters() { return internal::actor_roots::of_current_loop().dead_letters; }

}  // namespace

// --- the mailbox -------------------------------------------------------------------------------------------------------

TEST_CASE("a mailbox gives messages in the order they came") {
  using sent = internal::envelope_of<note>;
  internal::message_queue box;
  CHECK(box.empty());
  CHECK(box.pop() == nullptr);
  sent first(note{"1"});
  sent second(note{"2"});
  box.push(first);
  box.push(second);
  CHECK(box.length(10) == 2);
  CHECK(box.length(1) == 1);
  CHECK(box.pop() == &first);
  box.push(first);
  CHECK(box.pop() == &second);
  CHECK(box.pop() == &first);
  CHECK(box.empty());
  first.destroy_message();
  second.destroy_message();
}

TEST_CASE("the mark of a mailbox recognises the message that was the newest") {
  using sent = internal::envelope_of<note>;
  internal::message_queue box;
  sent first(note{"1"});
  sent second(note{"2"});
  box.push(first);
  work** const mark = box.mark();
  box.push(second);
  CHECK(internal::message_queue::is_mark(*box.pop(), mark));
  CHECK(!internal::message_queue::is_mark(*box.pop(), mark));
  first.destroy_message();
  second.destroy_message();
}

// --- turns -------------------------------------------------------------------------------------------------------------

TEST_CASE("a coroutine handler ends before the next message is handled") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writes = spawn<scribe>(std::ref(into));
    writes.tell(wait_and_note{"a"});
    writes.tell(note{"b"});
    writes.tell(wait_and_note{"c"});
    writes.tell(wait_and_note{"d", 0s});
    writes.tell(note{"e"});
    co_await sleep(10s);
  };
  testing::run(body(pages));
  CHECK(pages == journal{"begin a", "end a", "b", "begin c", "end c", "begin d", "end d", "e"});
}

TEST_CASE("a message lives until its coroutine handler has ended") {
  // The text is longer than what a string keeps in itself, so that a message destroyed too soon is noticed.
  const std::string text(100, 'x');
  journal pages;
  auto body = [](journal& into, std::string written) -> coro<> {
    auto writes = spawn<scribe>(std::ref(into));
    writes.tell(wait_and_note{written});
    co_await sleep(10s);
  };
  testing::run(body(pages, text));
  CHECK(pages == journal{"begin " + text, "end " + text});
}

TEST_CASE("a coroutine handler that never suspends is handled like a plain one") {
  struct quick : actor<protocol<note>> {
    explicit quick(journal& given) : pages(given) {}
    coro<> on(note n) {
      pages.push_back(n.text);
      co_return;
    }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto quickly = spawn<quick>(std::ref(into));
    for (int index = 0; index < 3; ++index) quickly.tell(note{std::to_string(index)});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"0", "1", "2"});
}

TEST_CASE("messages sent during a turn come after those that were there") {
  struct echo : actor<protocol<note>> {
    explicit echo(journal& given) : pages(given) {}
    void on(note n) {
      pages.push_back(n.text);
      if (n.text.size() < 2) self().tell(note{n.text + n.text});
    }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto echoes = spawn<echo>(std::ref(into));
    for (const char* text : {"a", "b", "c"}) echoes.tell(note{text});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"a", "b", "c", "aa", "bb", "cc"});
}

namespace {

/// Sends itself a message whenever it handles one.
class flooded : public actor<protocol<flood, turns>> {
 public:
  void on(flood) {
    ++turns_;
    self().tell(flood{});
  }
  int on(turns) { return turns_; }

 private:
  int turns_ = 0;
};

}  // namespace

TEST_CASE("an actor that sends to itself without end lets others run") {
  auto body = []() -> coro<std::string> {
    auto floods = spawn<flooded>();
    auto other = spawn<flooded>();
    for (int index = 0; index < 10; ++index) floods.tell(flood{});
    for (int index = 0; index < 100; ++index) co_await sleep(0s);
    const int none = co_await other.ask(turns{});
    const int many = co_await floods.ask(turns{});
    co_return std::to_string(none) + (many >= 10 ? " and many" : " and few");
  };
  CHECK(testing::run(body()) == "0 and many");
}

TEST_CASE("an actor that sends to itself without end does not delay timers") {
  // In real time: on virtual time no time passes while anything is ready.
  auto body = []() -> coro<> {
    spawn<flooded>().tell(flood{});
    co_await sleep(1ms);
  };
  run_on(1, body());
  SUCCEED("it came back");
}

TEST_CASE("eight actors that send to one are all heard, each in its order") {
  struct numbered {
    int sender;
    int number;
  };
  struct sink : actor<protocol<numbered, turns>> {
    void on(numbered n) {
      if (n.number != next[n.sender]) ++out_of_order;
      next[n.sender] = n.number + 1;
    }
    int on(turns) {
      int all = 0;
      for (const int each : next) all += each;
      return out_of_order == 0 ? all : -out_of_order;
    }
    int next[8] = {};
    int out_of_order = 0;
  };
  struct source : actor<protocol<flood>> {
    source(int given_index, actor_ref<protocol<numbered>> given_to)
        : index(given_index), to(std::move(given_to)) {}
    void on(flood) {
      for (int burst = 0; burst < 10; ++burst) to.tell(numbered{index, sent++});
      if (sent < 1000) self().tell(flood{});
    }
    int index;
    int sent = 0;
    actor_ref<protocol<numbered>> to;
  };
  auto body = []() -> coro<int> {
    auto heard = spawn<sink>();
    for (int index = 0; index < 8; ++index) spawn<source>(index, heard).tell(flood{});
    co_await settle();
    const int all = co_await heard.ask(turns{});
    co_return all;
  };
  CHECK(testing::run(body()) == 8000);
}

TEST_CASE("a message may tell the actor that handles, refuses or drops it when it is destroyed") {
  struct parting {
    parting(actor_ref<protocol<note>> given) : to(std::move(given)) {}
    parting(parting&& other) noexcept = default;
    ~parting() {
      if (to) to.tell(note{"farewell"});
    }
    actor_ref<protocol<note>> to;
  };
  struct host : actor<protocol<parting, note>> {
    explicit host(journal& given) : pages(given) {}
    void on(const parting&) { pages.push_back("parting"); }
    void on(note n) { pages.push_back(n.text); }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto hosts = spawn<host>(std::ref(into));
    hosts.tell(parting(hosts));
    co_await settle();
    hosts.tell(parting(hosts));
    hosts.stop();
    co_await settle();
    hosts.tell(parting(hosts));
  };
  testing::run(body(pages));
  CHECK(pages == journal{"parting", "farewell"});
}

// --- dead letters ------------------------------------------------------------------------------------------------------

TEST_CASE("messages told to a dead actor are counted as dead letters") {
  journal pages;
  auto body = [](journal& into) -> coro<std::uint64_t> {
    auto writes = spawn<scribe>(std::ref(into));
    writes.stop();
    co_await settle();
    const std::uint64_t before = dead_letters();
    writes.tell(note{"1"});
    writes.tell(wait_and_note{"2"});
    co_return dead_letters() - before;
  };
  CHECK(testing::run(body(pages)) == 2);
}

TEST_CASE("messages that are queued when an actor stops are dead letters") {
  journal pages;
  auto body = [](journal& into) -> coro<std::uint64_t> {
    auto writes = spawn<scribe>(std::ref(into));
    for (int index = 0; index < 5; ++index) writes.tell(note{"never"});
    writes.stop();
    co_await settle();
    co_return dead_letters();
  };
  CHECK(testing::run(body(pages)) == 5);
  CHECK(pages.empty());
}

TEST_CASE("a message in the hands of a coroutine handler that a stop cancels is a dead letter") {
  journal pages;
  auto body = [](journal& into) -> coro<std::uint64_t> {
    auto writes = spawn<scribe>(std::ref(into));
    writes.tell(wait_and_note{"half"});
    co_await settle();
    writes.stop();
    co_await settle();
    co_return dead_letters();
  };
  CHECK(testing::run(body(pages)) == 1);
}

TEST_CASE("an ask of a dead actor is no dead letter: its asker hears") {
  auto body = []() -> coro<std::uint64_t> {
    auto asked = spawn<flooded>();
    asked.stop();
    co_await settle();
    static_cast<void>(co_await ending(asked.ask(turns{})));
    co_return dead_letters();
  };
  CHECK(testing::run(body()) == 0);
}

// --- what an actor costs -----------------------------------------------------------------------------------------------

TEST_CASE("the cell of an actor with eight bytes of state takes at most 160 bytes") {
  struct eight : actor<protocol<>> {
    std::int64_t state = 0;
  };
  STATIC_REQUIRE(sizeof(internal::cell_of<eight>) <= 160);
}

// --- brute force -------------------------------------------------------------------------------------------------------

namespace {

struct first_step {
  using reply = int;
  std::string text;
};
struct second_step {
  using reply = int;
  std::string text;
};
using steps = protocol<first_step, second_step, note>;

class backend_step : public actor<steps> {
 public:
  explicit backend_step(int& alive) : here_(alive) {}
  coro<> on_start() { co_await sleep(0s); }
  coro<> on_stop() {
    co_await sleep(0s);
    co_await sleep(1ms);
  }
  coro<int> on(first_step s) {
    co_await sleep(0s);
    co_await sleep(1ms);
    co_return static_cast<int>(s.text.size());
  }
  int on(const second_step& s) { return static_cast<int>(s.text.size()); }
  void on(note) {}

 private:
  counted here_;
};

/// Asks its child and a stranger in every way there is.
class frontend_step : public actor<steps> {
 public:
  frontend_step(actor_ref<steps> stranger, int& alive)
      : stranger_(std::move(stranger)), alive_(alive), here_(alive) {}
  coro<> on_start() {
    child_ = spawn<backend_step>(std::ref(alive_));
    create_task(chatters());
    co_await sleep(0s);
  }
  coro<int> on(first_step s) {
    auto first = child_.ask(first_step{s.text});
    auto second = stranger_.ask(first_step{s.text}, 10ms);
    stranger_.tell(note{"by the way"});
    int sum = co_await first;
    try {
      sum += co_await second;
    } catch (const std::exception&) {
      throw rejected("the stranger did not help");
    }
    co_return sum;
  }
  int on(const second_step&) { throw rejected("not my business"); }
  void on(note) {}
  coro<> on_stop() {
    auto answer = stranger_.ask(first_step{"bye"}, 10ms);
    static_cast<void>(co_await ending<int>(std::move(answer)));
  }

 private:
  coro<> chatters() {
    for (int index = 0; index < 3; ++index) {
      second_step question{std::to_string(index)};
      auto answer = child_.ask(std::move(question));
      static_cast<void>(co_await ending<int>(std::move(answer)));
    }
  }
  actor_ref<steps> stranger_;
  actor_ref<steps> child_;
  int& alive_;
  counted here_;
};

struct scene {
  int alive = 0;
  int ended = 0;
  actor_ref<steps> front;
  actor_ref<steps> back;
};

/// The scenario that is interrupted after every number of rounds: a few asks, one after the other and side by side.
coro<> play(scene& on) {
  on.back = spawn<backend_step>(std::ref(on.alive));
  on.front = spawn<frontend_step>(on.back, std::ref(on.alive));
  auto first = on.front.ask(first_step{std::string(40, 'a')}, 100ms);
  auto second = on.front.ask(first_step{std::string(50, 'b')}, 100ms);
  auto third = on.front.ask(second_step{std::string(60, 'c')}, infinite);
  for (future<int>* each : {&first, &second, &third}) {
    const std::string how = co_await ending(std::move(*each));
    if (how == "cancelled") throw cancelled{};
  }
  on.ended = 1;
}

constexpr int enough_rounds = 60;

}  // namespace

TEST_CASE("a scenario that is cancelled after any number of rounds leaves nothing behind") {
  int ended = 0;
  for (int rounds = 0; rounds < enough_rounds; ++rounds) {
    scene on;
    failure_log log;
    auto body = [](scene& into, int limit) -> coro<> {
      auto played = create_task(play(into));
      for (int round = 0; round < limit; ++round)
        co_await sleep(round % 8 == 7 ? duration(1ms) : duration(0));
      played.cancel();
    };
    testing::run(body(on, rounds), &log);
    CHECK(on.alive == 0);
    CHECK(log.text() == "");
    ended += on.ended;
  }
  // Some were interrupted, and some were not.
  CHECK(ended > 5);
  CHECK(ended < enough_rounds - 5);
}

TEST_CASE(
    "a scenario whose actors are stopped after any number of rounds ends, and leaves nothing "
    "behind") {
  for (int who = 0; who < 3; ++who) {
    for (int rounds = 0; rounds < enough_rounds; ++rounds) {
      scene on;
      failure_log log;
      auto body = [](scene& into, int limit, int stopped) -> coro<> {
        auto played = create_task(play(into));
        for (int round = 0; round < limit; ++round)
          co_await sleep(round % 8 == 7 ? duration(1ms) : duration(0));
        if (into.front && stopped != 1) into.front.stop();
        if (into.back && stopped != 0) into.back.stop();
        co_await played;
      };
      testing::run(body(on, rounds, who), &log);
      CHECK(on.alive == 0);
      CHECK(on.ended == 1);
    }
  }
}
