// The turns of an actor: one message after the other, whatever its handler waits for; and what an actor costs.
#include <troupe/actors/cell.hpp>

#include "actors/helpers.hpp"
#include "actors/scribe.hpp"
#include "support/explored.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::writing;

namespace {

struct flood {};
struct turns {
  using reply = int;
};

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

TROUPE_PROGRAM_TEST_CASE("a coroutine handler ends before the next message is handled") {
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

TROUPE_PROGRAM_TEST_CASE("a message lives until its coroutine handler has ended") {
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

TROUPE_PROGRAM_TEST_CASE("a coroutine handler that never suspends is handled like a plain one") {
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

TROUPE_PROGRAM_TEST_CASE("messages sent during a turn come after those that were there") {
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

TROUPE_PROGRAM_TEST_CASE("an actor that sends to itself without end lets others run") {
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

TROUPE_PROGRAM_TEST_CASE("eight actors that send to one are all heard, each in its order") {
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
    std::vector<actor_ref<protocol<flood>>> sources;
    for (int index = 0; index < 8; ++index) {
      sources.push_back(spawn<source>(index, heard));
      sources.back().tell(flood{});
    }
    co_await settle();
    const int all = co_await heard.ask(turns{});
    co_return all;
  };
  CHECK(testing::run(body()) == 8000);
}

TROUPE_PROGRAM_TEST_CASE(
    "a message may tell the actor that handles, refuses or drops it when it is destroyed") {
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

TEST_CASE("the cell of an actor with eight bytes of state takes at most 160 bytes") {
  struct eight : actor<protocol<>> {
    std::int64_t state = 0;
  };
  STATIC_REQUIRE(sizeof(troupe::internal::cell_of<eight>) <= 160);
}
