#include <troupe/actors/actor.hpp>

#include "actors/diarist.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::diary;

// --- tasks of an actor -------------------------------------------------------------------------------------------------

namespace {

struct begin_task {};

class worker : public actor<protocol<begin_task, note>> {
 public:
  explicit worker(journal& pages) : pages_(pages) {}
  void on(begin_task) { create_task(works()); }
  void on(note n) { pages_.push_back(n.text); }
  void on_stop() { pages_.push_back("on_stop"); }

 private:
  coro<> works() {
    pages_.push_back("works");
    try {
      co_await sleep(1h);
    } catch (const cancelled&) {
      pages_.push_back("interrupted");
      throw;
    }
  }
  journal& pages_;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE("messages are handled while a task of the actor waits") {
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    auto busy = spawn<worker>(std::ref(into));
    busy.tell(begin_task{});
    co_await settle();
    busy.tell(note{"told"});
    co_await settle();
    co_return into;
  };
  CHECK(testing::run(body(pages)) == journal{"works", "told"});
}

TROUPE_PROGRAM_TEST_CASE("a stop cancels the actor's tasks before on_stop") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto busy = spawn<worker>(std::ref(into));
    busy.tell(begin_task{});
    busy.tell(begin_task{});
    co_await settle();
    busy.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"works", "works", "interrupted", "interrupted", "on_stop"});
}

TROUPE_PROGRAM_TEST_CASE("a task of an actor that fails is reported, and the actor lives on") {
  struct careless : actor<protocol<count>> {
    int on(count) {
      create_task(fails(), {.name = "careless task"});
      return 1;
    }
    coro<> fails() {
      co_await sleep(0s);
      throw std::runtime_error("dropped");
    }
  };
  failure_log log;
  auto body = []() -> coro<int> {
    auto lives = spawn<careless>();
    co_await lives.ask(count{});
    co_await settle();
    const int one = co_await lives.ask(count{});
    co_await settle();
    co_return one;
  };
  CHECK(testing::run(body(), &log) == 1);
  CHECK(log.count("task 'careless task' failed") == 2);
}
