// CAF actors in a simulation: every order, on virtual time, again from a seed.
#include "caf/both_ways.hpp"

#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include <filesystem>
#include <set>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::caf_actors;

namespace {

using caf::event_based_actor;

/// In which order three CAF actors reach a fourth.
coro<> race(std::set<std::string>& seen) {
  caf_system sys;
  word<std::string> order;
  const auto goal = sys->spawn([&](event_based_actor* self) -> caf::behavior {
    return {[&, self, text = std::string()](const std::string& name) mutable {
      text += name;
      if (text.size() != 3) return;
      order.say(text);
      self->quit();
    }};
  });
  for (const char* const name : {"a", "b", "c"})
    sys->spawn([=](event_based_actor* self) { self->send(goal, std::string(name)); });
  seen.insert(co_await order.heard());
  co_await sys.shutdown();
}

TEST_CASE("a simulation takes CAF actors in every order") {
  std::set<std::string> seen;
  explore({.schedules = 300}, [&] { return race(seen); });
  CHECK(seen == std::set<std::string>{"abc", "acb", "bac", "bca", "cab", "cba"});
}

/// Takes money off an account in two messages, with a look in between: two of them may take the same.
caf::behavior careless(event_based_actor* self, const caf::actor& from) {
  return {[=](balance) {
    auto promise = self->make_response_promise();
    self->request(from, caf::infinite, balance{}).then([=](int there) mutable {
      if (there >= 100) self->send(from, deposit{-100});
      promise.deliver(there >= 100 ? 100 : 0);
    });
    return promise;
  }};
}

coro<> two_take_the_same() {
  caf_system sys;
  const auto mine = spawn<account>();
  mine.tell(deposit{100});
  const auto one = from_caf<narrow>(sys->spawn(careless, to_caf(mine)));
  const auto other = from_caf<narrow>(sys->spawn(careless, to_caf(mine)));
  auto both = gather(one.ask(balance{}), other.ask(balance{}));
  const auto [first, second] = co_await std::move(both);
  if (first + second > 100) throw std::runtime_error("the same money was taken twice");
  co_await sys.shutdown();
}

TEST_CASE(
    "a simulation finds what goes wrong between CAF actors and troupe actors in some orders only") {
  std::string found;
  try {
    explore({.schedules = 1'000}, [] { return two_take_the_same(); });
  } catch (const schedule_failed& failed) {
    found = failed.what();
    std::filesystem::remove(failed.about().file);
  }
  CHECK(found.find("the same money was taken twice") != std::string::npos);
}

TEST_CASE(
    "in every order a CAF system ends, with its actors in the midst of messages and time-outs") {
  explore({.schedules = 200}, []() -> coro<> {
    caf_system sys;
    const auto mine = spawn<account>();
    const auto theirs = from_caf<bank>(sys->spawn(caf_account));
    const auto ticking = sys->spawn([to = to_caf(mine)](event_based_actor* self) -> caf::behavior {
      self->delayed_send(self, 1ms, 1);
      return {[=](int number) {
        self->delayed_send(self, 1ms, number + 1);
        self->request(to, 5ms, never{}).then([](int) {}, [](const caf::error&) {});
        self->send(to, deposit{1});
      }};
    });
    static_cast<void>(ticking);
    auto asked = theirs.ask(balance{});
    const int nothing = co_await asked;
    if (nothing != 0) throw std::runtime_error("money out of nowhere");
    co_await sleep(3ms);
    co_await sys.shutdown();
  });
}

TEST_CASE("a CAF system is spread over the loops of a simulation") {
  explore({.schedules = 100, .threads = 3}, []() -> coro<> {
    caf_system sys;
    std::vector<actor_ref<bank>> all;
    for (int each = 0; each < 6; ++each) all.push_back(from_caf<bank>(sys->spawn(caf_account)));
    for (const auto& each : all) each.tell(deposit{10});
    int sum = 0;
    for (const auto& each : all) sum += co_await each.ask(balance{});
    if (sum != 60) throw std::runtime_error("deposits were lost");
    co_await sys.shutdown();
  });
}

}  // namespace
