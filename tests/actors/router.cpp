// Routers: one front for several actors.
#include <troupe/actors/router.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  int number;
};
struct who_has {
  using reply = int;
  int key;
};
struct rest {};
struct wake_up {};
struct crash {
  using reply = int;
};
using working = protocol<note, who_has, rest, wake_up, crash>;

/// Notes what it is told, and says its number when it is asked.
class worker : public actor<working> {
 public:
  worker(journal& into, int number) : into_(into), number_(number) {}
  void on(note n) { into_.push_back(std::to_string(number_) + ":" + std::to_string(n.number)); }
  int on(who_has) { return number_; }
  coro<> on(rest) { co_await sleep(1h); }
  void on(wake_up) {}
  int on(crash) { throw std::runtime_error("broken"); }
  coro<> on_stop() { co_await sleep(1s); }

 private:
  journal& into_;
  int number_;
};

struct scene {
  journal into;
  std::vector<actor_ref<working>> workers;

  void fill(const router<working>& front, int count) {
    for (int each = 0; each < count; ++each) {
      workers.push_back(spawn<worker>(std::ref(into), static_cast<int>(workers.size())));
      front.add(workers.back());
    }
  }
};

/// Runs `body` and returns what the workers have noted.
journal play(coro<> (*body)(scene&)) {
  scene played;
  failure_log log;
  testing::run(body(played), &log);
  return played.into;
}

int key_of_all(const who_has& asked) { return asked.key; }
struct key_function {
  int operator()(const who_has& asked) const { return key_of_all(asked); }
  int operator()(const note& told) const { return told.number; }
  template <class M>
  std::string operator()(const M&) const {
    return "none";
  }
};

/// Who has each of some keys.
coro<std::vector<int>> owners(router<working> front, int keys) {
  std::vector<int> owners_of;
  for (int key = 0; key < keys; ++key) owners_of.push_back(co_await front.ask(who_has{key}));
  co_return owners_of;
}

}  // namespace

TEST_CASE("a round robin passes messages to one routee after the other") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front;
          with.fill(front, 3);
          for (int number = 0; number < 4; ++number) front.tell(note{number});
          co_await settle();
          const int next = co_await front.ask(who_has{0});
          with.into.push_back("then " + std::to_string(next));
        }) == journal{"0:0", "0:3", "1:1", "2:2", "then 1"});
}

TEST_CASE("a routee that ends, or is taken out, gets nothing more") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front;
          with.fill(front, 3);
          with.workers[0].kill();
          co_await settle();
          with.into.push_back(std::to_string(front.size()) + " left");
          with.into.push_back(front.remove(with.workers[1]) ? "taken out" : "");
          with.into.push_back(front.remove(with.workers[1]) ? "" : "was none");
          for (int number = 0; number < 2; ++number) front.tell(note{number});
          co_await settle();
        }) == journal{"2 left", "taken out", "was none", "2:0", "2:1"});
}

TEST_CASE("a routee that is stopping is passed over") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front;
          with.fill(front, 2);
          with.workers[0].stop();  // its on_stop takes a second
          front.tell(note{0});
          co_await settle();
          front.tell(note{1});
          co_await settle();
          with.into.push_back(std::to_string(front.size()) + " routees");
          co_await sleep(2s);
          with.into.push_back(std::to_string(front.size()) + " routee");
        }) == journal{"1:0", "1:1", "2 routees", "1 routee"});
}

TEST_CASE("an actor is a routee once, whatever ref it is added by") {
  CHECK(play([](scene& with) -> coro<> {
          const router<protocol<note>> front;
          auto one = spawn<worker>(std::ref(with.into), 0);
          with.into.push_back(front.add(one) ? "new" : "");
          with.into.push_back(front.add(actor_ref<protocol<note, rest>>(one)) ? "" : "old");
          with.into.push_back(std::to_string(front.size()));
          co_return;
        }) == journal{"new", "old", "1"});
}

TEST_CASE("an ask of a router without a routee fails as such, at the await") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front;
          with.fill(front, 1);
          with.workers[0].kill();
          co_await settle();
          auto answer = front.ask(who_has{1});
          static_cast<void>(front.ask(who_has{2}));  // nobody looks, and nobody minds
          try {
            static_cast<void>(co_await answer);
          } catch (const no_routee& error) {
            const std::string said = error.what();
            with.into.push_back(said.find("who_has and has no routee") != std::string::npos ? "none"
                                                                                            : said);
          }
          front.tell(note{1});
          with.into.push_back(std::to_string(front.broadcast(note{1})));
        }) == journal{"none", "0"});
}

TEST_CASE("errors of a routee are those of the ask") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front;
          with.fill(front, 1);
          auto failing = front.ask(crash{});
          const std::string how = co_await ending(std::move(failing));
          with.into.push_back(how);
          auto busy = spawn<worker>(std::ref(with.into), 1);
          busy.tell(rest{});
          front.add(busy);
          auto slow = front.ask(who_has{0}, 1s);
          const std::string late = co_await ending(std::move(slow));
          with.into.push_back(late.substr(0, 8));
        }) == journal{"error: broken", "timeout:"});
}

TEST_CASE("a broadcast sends each routee a copy") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front(routing::least_loaded);
          with.fill(front, 3);
          with.into.push_back(std::to_string(front.broadcast(note{7})));
          co_await settle();
        }) == journal{"3", "0:7", "1:7", "2:7"});
}

TEST_CASE("the least loaded is the one with the fewest messages waiting and in hand") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front(routing::least_loaded);
          with.fill(front, 3);
          with.workers[0].tell(rest{});  // busy for an hour
          with.workers[1].tell(rest{});
          with.workers[1].tell(wake_up{});
          co_await settle();
          // One and two wait: three go to the idle one before one of them does.
          for (int number = 0; number < 3; ++number) front.tell(note{number});
          co_await settle();
          for (int number = 3; number < 6; ++number) {
            front.tell(note{number});
            co_await settle();
          }
        }) == journal{"2:0", "2:1", "2:3", "2:4", "2:5"});
}

TEST_CASE("routees that are as little loaded take turns") {
  CHECK(play([](scene& with) -> coro<> {
          const router<working> front(routing::least_loaded);
          with.fill(front, 3);
          for (int number = 0; number < 6; ++number) front.tell(note{number});
          co_await settle();
          for (int number = 6; number < 9; ++number) {
            front.tell(note{number});
            co_await settle();
          }
        }) == journal{"0:0", "0:3", "1:1", "1:4", "2:2", "2:5", "0:6", "1:7", "2:8"});
}

TEST_CASE("equal keys go to the same routee, whatever message has them") {
  CHECK(play([](scene& with) -> coro<> {
          const auto front = router<working>::by_key(key_function());
          with.fill(front, 5);
          for (int key = 0; key < 50; ++key) {
            const int owner = co_await front.ask(who_has{key});
            with.into.clear();
            front.tell(note{key});
            co_await settle();
            if (with.into != journal{std::to_string(owner) + ":" + std::to_string(key)}) co_return;
          }
          with.into = {"all"};
        }) == journal{"all"});
}

TEST_CASE("a routee that is added or removed moves its own share of the keys and no others") {
  constexpr int keys = 3000;
  constexpr int routees = 10;
  CHECK(play([](scene& with) -> coro<> {
          const auto front = router<working>::by_key(key_function());
          with.fill(front, routees);
          const std::vector<int> before = co_await owners(front, keys);
          std::map<int, int> shares;
          for (const int owner : before) ++shares[owner];
          for (const auto& [owner, share] : shares) {
            if (share < keys / routees / 2 || share > keys / routees * 2) {
              with.into.push_back("an uneven share: " + std::to_string(share));
            }
          }
          with.fill(front, 1);
          const std::vector<int> grown = co_await owners(front, keys);
          int moved = 0;
          for (std::size_t key = 0; key < keys; ++key) {
            if (grown[key] == before[key]) continue;
            ++moved;
            if (grown[key] != routees) with.into.push_back("a key has moved to an old routee");
          }
          if (moved < keys / 22 || moved > keys / 5) {
            with.into.push_back("moved: " + std::to_string(moved));
          }
          front.remove(with.workers[3]);
          const std::vector<int> shrunk = co_await owners(front, keys);
          for (std::size_t key = 0; key < keys; ++key) {
            if (grown[key] != 3 && shrunk[key] != grown[key])
              with.into.push_back("a key has left a routee that stayed");
          }
          // Its successor takes its place.
          with.fill(front, 1);
          const std::vector<int> replaced = co_await owners(front, keys);
          for (std::size_t key = 0; key < keys; ++key) {
            if (replaced[key] != (grown[key] == 3 ? routees + 1 : grown[key]))
              with.into.push_back("a successor has other keys");
          }
        }) == journal{});
}

TEST_CASE("keys of a routee that is stopping go to the next on the ring") {
  CHECK(play([](scene& with) -> coro<> {
          const auto front = router<working>::by_key(key_function(), 16);
          with.fill(front, 3);
          const std::vector<int> before = co_await owners(front, 100);
          with.workers[1].stop();
          const std::vector<int> after = co_await owners(front, 100);
          for (std::size_t key = 0; key < 100; ++key) {
            if (before[key] != 1 && after[key] != before[key]) with.into.push_back("moved");
            if (after[key] == 1) with.into.push_back("still there");
          }
        }) == journal{});
}

TROUPE_PROGRAM_TEST_CASE(
    "texts, numbers and enumerators may be keys, and a key function that throws is heard") {
  enum class colour : unsigned char { red, green };
  struct paint {
    using reply = int;
    colour with;
  };
  struct name {
    using reply = int;
    std::string text;
    explicit name(std::string given) : text(std::move(given)) {}
  };
  struct painter : actor<protocol<paint, name>> {
    explicit painter(int number) : number_(number) {}
    int on(paint) { return number_; }
    int on(name) { return number_; }
    int number_;
  };
  struct keys {
    colour operator()(const paint& m) const { return m.with; }
    const std::string& operator()(const name& m) const {
      if (m.text.empty()) throw std::invalid_argument("no name");
      return m.text;
    }
  };
  auto body = []() -> coro<std::string> {
    const auto front = router<protocol<paint, name>>::by_key(keys());
    for (int number = 0; number < 8; ++number) front.add(spawn<painter>(number));
    std::map<int, int> used;
    for (int times = 0; times < 100; ++times)
      ++used[co_await front.ask(name("somebody" + std::to_string(times % 20)))];
    const int red = co_await front.ask(paint{colour::red});
    const int again = co_await front.ask(paint{colour::red});
    std::string how = red == again ? "same " : "another ";
    how += used.size() > 3 ? "spread " : "crowded ";
    try {
      static_cast<void>(front.ask(name("")));
    } catch (const std::invalid_argument& error) {
      how += error.what();
    }
    co_return how;
  };
  CHECK(testing::run(body()) == "same spread no name");
  CHECK_THROWS_AS((router<protocol<paint, name>>::by_key(keys(), 0)), std::invalid_argument);
}

TROUPE_PROGRAM_TEST_CASE(
    "a router may be passed on in a message, and outlive its routees and their loop") {
  struct use {
    router<working> which;
  };
  struct user : actor<protocol<use>> {
    void on(use u) { u.which.tell(note{3}); }
  };
  router<working> kept;
  scene with;
  auto body = [](scene& played, router<working>& front) -> coro<> {
    played.fill(front, 1);
    const auto using_it = spawn<user>();
    using_it.tell(use{front});
    co_await settle();
  };
  testing::run(body(with, kept));
  CHECK(with.into == journal{"0:3"});
  CHECK(kept.size() == 0);
  kept.tell(note{4});
  CHECK(with.into == journal{"0:3"});
}
