// Routers whose routees are on several loops.
#include <troupe/actors/router.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

namespace {

struct ask_all {
  using reply = int;
  router<remote_protocol> whom;
  int count;
};

/// Asks from the loop it is on; counts the answers, and the requests for which there was nobody.
class client : public actor<protocol<ask_all>> {
 public:
  coro<int> on(ask_all order) {
    int ended = 0;
    for (int each = 0; each < order.count; ++each) {
      order.whom.tell(number{each});
      try {
        static_cast<void>(co_await order.whom.ask(where{}, infinite));
      } catch (const actor_dead&) {
      } catch (const no_routee&) {
      }
      ++ended;
    }
    co_return ended;
  }
};

}  // namespace

TEST_CASE("the least loaded of two loops is the one whose routee does not wait") {
  auto body = []() -> coro<int> {
    const router<remote_protocol> front(routing::least_loaded);
    auto busy = spawn<collector>(place::on(1));
    auto idle = spawn<collector>(place::on(1));
    static_cast<void>(busy.ask(wait_for_ever{}, infinite));
    for (int each = 0; each < 50; ++each) busy.tell(number{each});
    front.add(busy);
    front.add(idle);
    // The first of these finds out how loaded the two are, and the answer comes behind that.
    for (int each = 0; each < 4; ++each) front.tell(number{each});
    static_cast<void>(co_await idle.ask(collect{}));
    int answered = 0;
    for (int each = 0; each < 20; ++each) {
      const std::size_t place = co_await front.ask(where{});
      answered += static_cast<int>(place);
    }
    busy.kill();
    co_return answered;
  };
  CHECK(run_on(2, body()) == 20);
}

TEST_CASE("what one sender tells one routee through a router arrives in order") {
  auto body = []() -> coro<int> {
    int well = 0;
    for (const routing how : {routing::round_robin, routing::least_loaded}) {
      const router<remote_protocol> front(how);
      auto one = spawn<collector>(place::on(1));
      front.add(one);
      for (int each = 0; each < 300; ++each) front.tell(number{each});
      well += in_order(co_await one.ask(collect{}), 300) ? 1 : 0;
    }
    co_return well;
  };
  CHECK(run_on(2, body()) == 2);
}

TEST_CASE("routees of two loops come and die while clients of both ask, and every ask ends") {
  auto body = []() -> coro<int> {
    int ended = 0;
    const auto any_key = [](const auto&) { return 5; };
    for (const auto& front : {router<remote_protocol>(routing::round_robin),
                              router<remote_protocol>(routing::least_loaded),
                              router<remote_protocol>::by_key(any_key)}) {
      std::vector<future<int>> clients;
      for (std::size_t index = 0; index < 2; ++index) {
        ask_all order{front, 100};
        clients.push_back(spawn<client>(place::on(index)).ask(std::move(order), infinite));
      }
      std::vector<actor_ref<remote_protocol>> routees;
      for (std::size_t round = 0; round < 60; ++round) {
        routees.push_back(spawn<collector>(place::on(round % 2)));
        front.add(routees.back());
        if (round % 3 == 0) co_await sleep(0s);
        if (round >= 4) routees[round - 4].kill();
        if (round % 7 == 0) front.remove(routees[round]);
      }
      for (auto& each : clients) ended += co_await each;
      for (const auto& each : routees) each.kill();
      for (const auto& each : routees) {
        auto end = each.stopped();
        static_cast<void>(co_await end);
      }
      if (front.size() != 0) fail("a dead routee is left");
    }
    co_return ended;
  };
  CHECK(run_on(2, body()) == 600);
}
