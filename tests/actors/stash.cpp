// Messages that an actor puts aside, and takes up again before all others.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct item {
  explicit item(std::string given) : name(std::move(given)) {}
  std::string name;
};
struct crate {  // cannot be copied
  std::unique_ptr<int> value;
};
struct fetch {
  using reply = int;
  std::unique_ptr<int> value;
};
struct finish {
  using reply = void;
};
struct open_up {};
struct take_one {};
struct close_down {};
struct make_room {
  std::size_t most;
};
struct count {
  using reply = int;
};
struct crash {};
using storing =
    protocol<item, crate, fetch, finish, open_up, take_one, close_down, make_room, count, crash>;

/// Puts everything aside while it is closed.
class store : public actor<storing> {
 public:
  explicit store(journal& into) : into_(into) {}
  void on(item i) {
    if (!open_) return stash(std::move(i));
    into_.push_back(i.name);
  }
  coro<> on(crate c) {  // in a coroutine too
    co_await sleep(1ms);
    if (open_) {
      into_.push_back("crate " + std::to_string(*c.value));
    } else {
      stash(std::move(c));
    }
  }
  void on(fetch f, reply_to<int> reply) {
    if (!open_) return stash(std::move(f), std::move(reply));
    into_.push_back("fetch " + std::to_string(*f.value));
    reply.answer(*f.value);
  }
  void on(finish f, reply_to<void> reply) {
    if (!open_) return stash(f, std::move(reply));
    into_.push_back("finish");
    reply.answer();
  }
  void on(open_up) {
    open_ = true;
    into_.push_back("opens " + std::to_string(unstash_all()));
  }
  void on(take_one) { into_.push_back(unstash() ? "takes one" : "none there"); }
  void on(close_down) {
    open_ = false;
    into_.push_back("closes");
  }
  void on(make_room l) { set_stash_capacity(l.most); }
  int on(count) { return static_cast<int>(stashed()); }
  void on(crash) { throw std::runtime_error("boom"); }

 private:
  journal& into_;
  bool open_ = false;
};

journal play(const std::function<coro<>(actor_ref<storing>, journal&)>& scene,
             failure_log* log = nullptr) {
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<store>(std::ref(into));
    co_await scene(one, into);
    co_await sleep(100ms);
  };
  testing::run(body(), log);
  return into;
}

fetch fetch_of(int value) { return fetch{std::make_unique<int>(value)}; }

}  // namespace

TEST_CASE("messages that were put aside come before those that wait, in their order") {
  CHECK(play([](actor_ref<storing> one, journal&) -> coro<> {
          one.tell(item("a"));
          one.tell(item("b"));
          one.tell(crate{std::make_unique<int>(3)});
          one.tell(open_up{});
          one.tell(item("c"));
          one.tell(close_down{});
          one.tell(item("d"));
          one.tell(open_up{});
          one.tell(open_up{});
          co_await settle();
        }) == journal{"opens 3", "a", "b", "crate 3", "c", "closes", "opens 1", "d", "opens 0"});
}

TEST_CASE("one message at a time may be taken up again, and be put aside anew behind the others") {
  CHECK(play([](actor_ref<storing> one, journal&) -> coro<> {
          one.tell(take_one{});
          for (const char* name : {"a", "b", "c"}) one.tell(item(name));
          one.tell(take_one{});
          one.tell(open_up{});
          co_await settle();
        }) == journal{"none there", "takes one", "opens 3", "b", "c", "a"});
}

TEST_CASE("requests that were put aside are answered when they are taken up") {
  CHECK(play([](actor_ref<storing> one, journal& into) -> coro<> {
          auto first = one.ask(fetch_of(1));
          auto done = one.ask(finish{});
          auto second = one.ask(fetch_of(2));
          one.tell(fetch_of(3));  // nobody waits for this answer
          co_await settle();
          into.push_back(first.done() || done.done() || second.done() ? "too soon" : "waits");
          one.tell(open_up{});
          std::string how = co_await ending(std::move(first));
          how += co_await ending(std::move(done));
          how += co_await ending(std::move(second));
          into.push_back(how);
        }) == journal{"waits", "opens 4", "fetch 1", "finish", "fetch 2", "fetch 3", "1answered2"});
}

TEST_CASE("a request that is withdrawn while it is put aside stays withdrawn") {
  CHECK(play([](actor_ref<storing> one, journal& into) -> coro<> {
          auto cancelled_one = one.ask(fetch_of(1));
          auto timed_out = one.ask(fetch_of(2), 10ms);
          auto stays = one.ask(fetch_of(3));
          co_await settle();
          cancelled_one.cancel();
          into.push_back((co_await ending(std::move(timed_out))).substr(0, 8));
          one.tell(open_up{});
          into.push_back(co_await ending(std::move(stays)));
        }) == journal{"timeout:", "opens 3", "fetch 3", "3"});
}

TEST_CASE("a full stash rejects, saying who and how many, and the actor lives on") {
  failure_log log;
  const journal into = play(
      [](actor_ref<storing> one, journal& to) -> coro<> {
        one.tell(make_room{2});
        one.tell(item("a"));
        auto kept = one.ask(fetch_of(1));
        one.tell(item("b"));
        auto refused = one.ask(fetch_of(2));
        to.push_back(co_await ending(std::move(refused)));
        // One that nobody waits for makes room.
        kept.cancel();
        auto instead = one.ask(fetch_of(3));
        co_await settle();
        one.tell(open_up{});
        to.push_back(co_await ending(std::move(instead)));
      },
      &log);
  REQUIRE(into.size() == 5);
  CHECK(into[0].find("rejected: ") == 0);
  CHECK(into[0].find("store has put aside 2 messages") != std::string::npos);
  CHECK(into[0].find("fetch") != std::string::npos);
  CHECK(journal(into.begin() + 1, into.end()) == journal{"opens 2", "a", "fetch 3", "3"});
  CHECK(log.reports().size() == 1);
  CHECK(log.count("::item") == 1);
}

TEST_CASE("what is put aside when an actor ends is refused like what waits in its mailbox") {
  for (const int how : {0, 1, 2}) {
    failure_log log;
    std::uint64_t letters = 0;
    const journal into = play(
        [how, &letters](actor_ref<storing> one, journal& to) -> coro<> {
          const std::uint64_t before =
              troupe::internal::actor_roots::of_current_loop().dead_letters;
          auto asked = one.ask(fetch_of(1), infinite);
          auto done = one.ask(finish{}, infinite);
          auto gone = one.ask(finish{}, infinite);
          one.tell(item("a"));
          one.tell(crate{std::make_unique<int>(3)});
          co_await sleep(5ms);
          gone.cancel();
          if (how == 0) one.stop();
          if (how == 1) one.kill();
          if (how == 2) one.tell(crash{});
          to.push_back((co_await ending(std::move(asked))).substr(0, 5));
          to.push_back((co_await ending(std::move(done))).substr(0, 5));
          letters = troupe::internal::actor_roots::of_current_loop().dead_letters - before;
        },
        &log);
    CHECK(into == journal{"dead:", "dead:"});
    CHECK(letters == 2);
    CHECK(log.reports().size() == (how == 2 ? 1 : 0));
  }
}

TROUPE_PROGRAM_TEST_CASE("an actor that the run leaves behind leaves nothing of its stash") {
  int alive = 0;
  struct held {
    counted one;
  };
  struct keeps : actor<protocol<held>> {
    void on(held h) {
      stash(std::move(h));
      const held again{h};
      if (stashed() < 5) self().tell(again);
    }
  };
  auto body = [&]() -> coro<> {
    const auto keeper = spawn<keeps>();
    keeper.tell(held{counted(alive)});
    co_await settle();
    if (alive != 5) fail("not all are there");
  };
  testing::run(body());
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE("what an actor puts aside while it stops is refused") {
  struct stubborn : actor<protocol<item>> {
    void on(item i) { stash(std::move(i)); }
    void on_stop() {
      stash(item("late"));
      if (stashed() != 0 || unstash()) fail("it was kept");
    }
    ~stubborn() { stash(item("later")); }
  };
  auto body = []() -> coro<std::uint64_t> {
    auto one = spawn<stubborn>();
    one.tell(item("a"));
    co_await settle();
    one.stop();
    co_await settle();
    co_return troupe::internal::actor_roots::of_current_loop().dead_letters;
  };
  CHECK(testing::run(body()) == 3);
}

TROUPE_PROGRAM_TEST_CASE("a task of the actor may take up what was put aside") {
  struct lazy : actor<protocol<item>> {
    explicit lazy(journal& given) : into(given) {}
    void on_start() {
      auto later = [](lazy& in) -> coro<> {
        co_await sleep(1s);
        in.ready = true;
        in.unstash_all();
      };
      create_task(later(*this));
    }
    void on(item i) {
      if (!ready) return stash(std::move(i));
      into.push_back(i.name);
    }
    journal& into;
    bool ready = false;
  };
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<lazy>(std::ref(into));
    one.tell(item("a"));
    one.tell(item("b"));
    co_await sleep(2s);
  };
  testing::run(body());
  CHECK(into == journal{"a", "b"});
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor that puts the same message aside and takes it up for ever lets others run") {
  struct spinner : actor<protocol<item>> {
    void on(item i) {
      stash(std::move(i));
      unstash_all();
    }
  };
  auto body = []() -> coro<> {
    auto one = spawn<spinner>();
    one.tell(item("round and round"));
    for (int round = 0; round < 10; ++round) co_await sleep(0s);
    one.stop();
    co_await one.stopped();
  };
  testing::run(body());
  SUCCEED("it came to an end");
}

TEST_CASE("a request may be put aside from another loop, again and again") {
  struct patient : actor<protocol<fetch>> {
    void on(fetch f, reply_to<int> reply) {
      if (++*f.value % 5 == 0) return reply.answer(*f.value);
      stash(std::move(f), std::move(reply));
      if (stashed() > 3) unstash();
      if (stashed() > 2) unstash_all();
    }
  };
  auto body = []() -> coro<int> {
    auto one = spawn<patient>(place::on(1));
    std::vector<future<int>> asked;
    for (int index = 0; index < 500; ++index) {
      asked.push_back(one.ask(fetch_of(index % 3), infinite));
      if (index % 7 == 0) asked.back().cancel();
      if (index % 50 == 0) co_await sleep(0s);
    }
    for (int tries = 0; tries < 100; ++tries) co_await sleep(0s);
    one.stop();
    int ends = 0;
    for (auto& each : asked) ends += !(co_await ending(std::move(each))).empty();
    co_return ends;
  };
  CHECK(run_on(2, body()) == 500);
}

TROUPE_PROGRAM_TEST_CASE(
    "what is put aside leaves its room in the mailbox, and comes back whether there is room or "
    "not") {
  struct narrow : actor<protocol<item, open_up, close_down>> {
    explicit narrow(journal& given) : into(given) {}
    void on(item i) {
      if (!open) return stash(std::move(i));
      into.push_back(i.name);
    }
    void on(open_up) {
      open = true;
      unstash_all();
    }
    void on(close_down) { open = false; }
    journal& into;
    bool open = false;
  };
  journal into;
  auto body = [&]() -> coro<std::uint64_t> {
    auto one =
        spawn<narrow>(spawn_options{.name = "",
                                    .on = place::here,
                                    .mailbox = {.capacity = 2, .when_full = overflow::reject}},
                      std::ref(into));
    for (const char* name : {"a", "b", "c"}) {
      one.tell(item(name));
      co_await settle();
    }
    one.tell(open_up{});
    one.tell(item("d"));
    one.tell(item("refused"));
    co_await settle();
    // They have gone, and are not counted any more.
    one.tell(close_down{});
    one.tell(item("e"));
    one.tell(item("refused"));
    co_await settle();
    one.tell(open_up{});
    co_await settle();
    co_return troupe::internal::actor_roots::of_current_loop().refused_as_full;
  };
  CHECK(testing::run(body()) == 2);
  CHECK(into == journal{"a", "b", "c", "d", "e"});
}
