// Names of actors, between loops.
#include <troupe/actors/registry.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

namespace {

struct look {
  using reply = bool;
  std::string name;
};
struct wait {
  using reply = int;
  std::string name;
};
struct give_up {
  std::string name;
};
using looking = protocol<look, wait, give_up>;

/// Looks for names from the loop it is on.
class looker : public actor<looking> {
 public:
  bool on(look l) { return static_cast<bool>(whereis<remote_protocol>(l.name)); }
  coro<int> on(wait w) {
    auto found = co_await when_registered<protocol<number, where>>(w.name);
    const std::size_t place = co_await found.ask(where{});
    co_return static_cast<int>(place);
  }
  void on(give_up g) { when_registered<remote_protocol>(g.name).cancel(); }
};

}  // namespace

TEST_CASE("a name given on one loop is found, and waited for, on the others") {
  auto body = []() -> coro<int> {
    auto away = spawn<looker>(place::on(1));
    wait awaited{"stamps"};
    auto where_it_is = spawn<looker>(place::on(1)).ask(std::move(awaited), infinite);
    look asked{"coins"};
    auto too_soon = away.ask(std::move(asked));
    if (co_await too_soon) fail("a name was found that nobody has");
    register_name("stamps", spawn<collector>(place::on(1)));
    const int index = co_await where_it_is;
    look again{"stamps"};
    auto known = away.ask(std::move(again));
    if (!co_await known) fail("the name was not found on the other loop");
    co_return index;
  };
  CHECK(run_on(2, body()) == 1);
}

TEST_CASE("a name is freed by the end of an actor on another loop, before its end is known here") {
  auto body = []() -> coro<int> {
    int freed = 0;
    for (int times = 0; times < 50; ++times) {
      auto one = spawn<collector>(place::on(1));
      register_name("stamps", one);
      one.kill();
      auto end = one.stopped();
      static_cast<void>(co_await end);
      freed += whereis<remote_protocol>("stamps") ? 0 : 1;
    }
    co_return freed;
  };
  CHECK(run_on(2, body()) == 50);
}

TEST_CASE("a storm of names given, freed and waited for on two loops leaves none behind") {
  auto body = []() -> coro<std::size_t> {
    std::vector<actor_ref<looking>> lookers;
    for (std::size_t index = 0; index < 4; ++index)
      lookers.push_back(spawn<looker>(place::on(index % 2)));
    for (int round = 0; round < 100; ++round) {
      const std::string name = "stamps" + std::to_string(round % 3);
      std::vector<future<int>> waits;
      for (const auto& each : lookers) {
        give_up first{name};
        each.tell(std::move(first));
        wait asked{name};
        waits.push_back(each.ask(std::move(asked), infinite));
      }
      if (round % 2 == 0) co_await sleep(0s);
      auto one = spawn<collector>(place::on(static_cast<std::size_t>(round) % 2));
      register_name(name, one);
      for (auto& each : waits) {
        if (co_await each != round % 2) fail("another actor was found");
      }
      if (round % 5 == 0) unregister_name(name);
      one.kill();
      auto end = one.stopped();
      static_cast<void>(co_await end);
    }
    co_return registered_names().size();
  };
  CHECK(run_on(2, body()) == 0);
}
