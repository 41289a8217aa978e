// Plain CAF actors, as CAF's manual has them, on the loops of a runtime.
#include "caf/support.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <set>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing::caf_actors;

namespace {

using caf::behavior;
using caf::event_based_actor;

// --- what they are ----------------------------------------------------------------------------------------------------

behavior calculator(event_based_actor*) {
  return {[](caf::add_atom, int a, int b) { return a + b; },
          [](caf::div_atom, int a, int b) -> caf::result<int> {
            if (b == 0) return caf::make_error(caf::sec::invalid_argument, "by zero");
            return a / b;
          }};
}

using typed_calculator =
    caf::typed_actor<caf::replies_to<caf::add_atom, int, int>::with<int>,
                     caf::reacts_to<caf::put_atom, int>, caf::replies_to<caf::get_atom>::with<int>>;

struct kept {
  int value = 0;
  static const char* name;
};
const char* kept::name = "kept";

typed_calculator::behavior_type typed_one(typed_calculator::stateful_pointer<kept> self) {
  return {[](caf::add_atom, int a, int b) { return a + b; },
          [=](caf::put_atom, int value) { self->state.value = value; },
          [=](caf::get_atom) { return self->state.value; }};
}

TEST_CASE("a request of a CAF actor to another is answered, or fails with its error") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<int> sum;
    word<caf::error> failed;
    const auto asked = sys->spawn(calculator);
    sys->spawn([=, &sum, &failed](event_based_actor* self) {
      self->request(asked, 10s, caf::add_atom_v, 2, 3).then([&](int value) { sum.say(value); });
      self->request(asked, 10s, caf::div_atom_v, 2, 0)
          .then([](int) {}, [&](const caf::error& why) { failed.say(why); });
    });
    const int value = co_await sum.heard();
    CHECK(value == 5);
    const caf::error why = co_await failed.heard();
    CHECK(why == caf::sec::invalid_argument);
  });
}

TEST_CASE("typed and stateful CAF actors keep their state between messages") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<int> got;
    const auto one = sys->spawn(typed_one);
    sys->spawn([=, &got](event_based_actor* self) {
      self->send(one, caf::put_atom_v, 7);
      self->request(one, caf::infinite, caf::get_atom_v).await([&](int value) { got.say(value); });
    });
    const int value = co_await got.heard();
    CHECK(value == 7);
  });
}

TEST_CASE(
    "a CAF actor that becomes another, and one that skips, take messages in the right order") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<std::string> all;
    const auto one = sys->spawn([&](event_based_actor* self) -> behavior {
      self->set_default_handler(caf::skip);
      return {[=, &all](int first) {
        self->become([=, &all](const std::string& then) {
          all.say(std::to_string(first) + then);
          self->quit();
        });
      }};
    });
    caf::anon_send(one, std::string("b"));  // skipped until the number has come
    caf::anon_send(one, 1);
    const std::string text = co_await all.heard();
    CHECK(text == "1b");
    co_await sys.actors_done();
  });
}

// --- time -------------------------------------------------------------------------------------------------------------

TEST_CASE("delayed messages of CAF actors come in the order of their times, and not before") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<std::string> all;
    const auto begun = loop::current()->time();
    sys->spawn([&](event_based_actor* self) -> behavior {
      self->delayed_send(self, 30ms, 3);
      self->delayed_send(self, 10ms, 1);
      self->delayed_send(self, 20ms, 2);
      return {[self, &all, text = std::string()](int number) mutable {
        text += std::to_string(number);
        if (number != 3) return;
        all.say(text);
        self->quit();
      }};
    });
    const std::string text = co_await all.heard();
    CHECK(text == "123");
    CHECK(loop::current()->time() - begun >= 30ms);
    co_await sys.actors_done();
  });
}

TEST_CASE("a request that is not answered in time fails with request_timeout") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<caf::error> failed;
    const auto silent = sys->spawn([](event_based_actor* self) -> behavior {
      return {[=](int) {
        auto promise = self->make_response_promise();
        static_cast<void>(promise);
        return caf::delegated<int>();
      }};
    });
    const auto promising =
        sys->spawn([](caf::stateful_actor<std::vector<caf::response_promise>>* self) -> behavior {
          return {[=](int) {
            self->state.push_back(self->make_response_promise());  // kept, and never fulfilled
            return self->state.back();
          }};
        });
    static_cast<void>(silent);
    sys->spawn([=, &failed](event_based_actor* self) {
      self->request(promising, 20ms, 1)
          .then([](int) {}, [&](const caf::error& why) { failed.say(why); });
    });
    const caf::error why = co_await failed.heard();
    CHECK(why == caf::sec::request_timeout);
  });
}

TEST_CASE("a CAF actor hears its receive time-out each time that nothing has come") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<int> heard;
    sys->spawn([&](event_based_actor* self) -> behavior {
      auto times = std::make_shared<int>(0);
      self->send(self, 1);
      return {[](int) {}, caf::after(5ms) >>
                              [=, &heard] {
                                if (++*times != 3) return;
                                heard.say(*times);
                                self->quit();
                              }};
    });
    const int times = co_await heard.heard();
    CHECK(times == 3);
    co_await sys.actors_done();
  });
}

TEST_CASE("time-outs of a CAF actor that has ended hold nothing and tell nobody") {
  testing::run([]() -> coro<> {
    caf_system sys;
    auto alive = std::make_shared<int>(0);
    const auto silent = sys->spawn([](event_based_actor* self) -> behavior {
      self->set_default_handler(caf::skip);
      return {[](const std::string&) {}};
    });
    sys->spawn([=](event_based_actor* self) {
      self->request(silent, 1440min, 1).then([alive](int) {});
      self->send(self, 1);
      self->become([=](int) { self->quit(); });
    });
    while (sys.running() != 1) co_await sleep(1ms);
    CHECK(alive.use_count() == 1);
  }());
}

// --- life -------------------------------------------------------------------------------------------------------------

TEST_CASE("monitors and links of CAF actors tell of an end, and take it over") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<caf::error> down;
    word<caf::error> exited;
    const auto victim = sys->spawn(calculator);
    const auto linked = sys->spawn(calculator);
    const auto observer = sys->spawn([=, &down, &exited](event_based_actor* self) -> behavior {
      self->monitor(linked);
      self->link_to(victim);
      self->set_down_handler([&](caf::down_msg& end) { down.say(end.reason); });
      self->set_exit_handler([&](caf::exit_msg& end) { exited.say(end.reason); });
      self->send(self, 1);
      return {[=](int) {
        self->send_exit(linked, caf::exit_reason::kill);
        caf::anon_send_exit(victim, caf::exit_reason::user_shutdown);
      }};
    });
    const caf::error first = co_await down.heard();
    CHECK(first == caf::exit_reason::kill);
    const caf::error second = co_await exited.heard();
    CHECK(second == caf::exit_reason::user_shutdown);
  });
}

TEST_CASE("CAF actors of a group all hear what is sent to it") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<int> all;
    std::atomic<int> heard{0};
    const auto group = sys->groups().get_local("here");
    for (int each = 0; each < 5; ++each) {
      sys->spawn_in_group(group, [&](event_based_actor* self) -> behavior {
        return {[&, self](int number) {
          if (heard += number; heard == 50) all.say(heard);
          self->quit();
        }};
      });
    }
    caf::anon_send(group, 10);
    const int sum = co_await all.heard();
    CHECK(sum == 50);
    co_await sys.actors_done();
  });
}

TEST_CASE("an exception in a CAF actor ends that actor, and fails what it was asked") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    word<caf::error> failed;
    const auto fragile = sys->spawn([](event_based_actor* self) -> behavior {
      self->set_exception_handler(
          [](std::exception_ptr&) { return caf::make_error(caf::sec::runtime_error); });
      return {[](int) -> int { throw std::runtime_error("out of paper"); }};
    });
    sys->spawn([=, &failed](event_based_actor* self) {
      self->request(fragile, 10s, 1)
          .then([](int) {}, [&](const caf::error& why) { failed.say(why); });
    });
    const caf::error why = co_await failed.heard();
    CHECK(why == caf::sec::runtime_error);
    co_await sys.actors_done();
  });
}

TEST_CASE("CAF actors that have threads of their own speak with those that have none") {
  const auto program = []() -> coro<> {
    caf_system sys;
    word<int> sum;
    const auto asked = sys->spawn(calculator);
    {
      const auto detached = sys->spawn<caf::detached>([=](event_based_actor* self) -> behavior {
        return {[=](int value) {
          self->delayed_send(self, 5ms, std::string("late"));
          self->become([=](const std::string&) {
            self->quit();
            return value;
          });
          return self->delegate(asked, caf::add_atom_v, value, 1);
        }};
      });
      sys->spawn([=, &sum](caf::blocking_actor* self) {
        self->request(detached, 60s, 41)
            .receive([&](int value) { sum.say(value); }, [&](const caf::error&) { sum.say(-1); });
      });
    }
    const int value = co_await sum.heard();
    CHECK(value == 42);
    co_await sys.shutdown();
  };
  really(program());
  really(program(), 3);
}

// --- how they share the loop ------------------------------------------------------------------------------------------

TEST_CASE("a CAF actor that eight others keep sending to keeps up with them") {
  constexpr int senders = 8;
  constexpr int chunk = 256;
  constexpr int chunks = 300;  // by far more than a turn of the loop handles
  // On one loop, so nobody sends while another runs.
  really([]() -> coro<> {
    caf_system sys;
    word<std::size_t> most;
    const auto to = sys->spawn([&](event_based_actor* self) -> behavior {
      return {[=, &most, left = senders * chunks * chunk, longest = std::size_t{0}](int) mutable {
        longest = std::max(longest, self->mailbox().size());
        if (--left != 0) return;
        most.say(longest);
        self->quit();
      }};
    });
    for (int i = 0; i < senders; ++i) {
      const auto sender = sys->spawn([=](event_based_actor* self) -> behavior {
        return {[=, left = chunks](int) mutable {
          for (int each = 0; each < chunk; ++each) self->send(to, each);
          if (--left == 0) return self->quit();
          self->send(self, 0);
        }};
      });
      caf::anon_send(sender, 0);
    }
    const std::size_t waited = co_await most.heard();
    CHECK(waited <= 2 * senders * chunk);
    co_await sys.actors_done();
  }());
}

TEST_CASE("a CAF actor that never stops sending to itself leaves tasks and timers their turn") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    std::atomic<std::uint64_t> turns{0};
    const auto busy = sys->spawn([&](event_based_actor* self) -> behavior {
      return {[&, self](int number) {
        ++turns;
        self->send(self, number + 1);
      }};
    });
    caf::anon_send(busy, 0);
    const std::uint64_t before = turns;
    for (int each = 0; each < 20; ++each) co_await sleep(0s);
    while (turns == before) co_await sleep(0s);
    caf::anon_send_exit(busy, caf::exit_reason::user_shutdown);
    while (sys.running() != 0) co_await sleep(0s);
  });
}

TEST_CASE("a CAF actor stays on the loop where it has run first") {
  really(
      []() -> coro<> {
        caf_system sys;
        constexpr int actors = 30;
        constexpr int rounds = 50;
        std::atomic<int> strayed{0};
        std::atomic<int> left{actors * rounds};
        word<int> done;
        std::mutex mutex;
        std::set<std::thread::id> threads;
        std::vector<caf::actor> all;
        for (int each = 0; each < actors; ++each) {
          all.push_back(sys->spawn([&](event_based_actor* self) -> behavior {
            const auto home = std::this_thread::get_id();
            {
              const std::scoped_lock lock(mutex);
              threads.insert(home);
            }
            return {[&, self, home](int number, const caf::actor& next) {
              if (std::this_thread::get_id() != home) ++strayed;
              if (--left == 0) done.say(1);
              if (number > 1) self->send(next, number - 1, caf::actor(self));
            }};
          }));
        }
        for (int each = 0; each < actors; ++each)
          caf::anon_send(all[each], rounds, all[(each + 7) % actors]);
        co_await done.heard();
        CHECK(strayed == 0);
        CHECK(threads.size() == 3);
        co_await sys.shutdown();
      }(),
      3);
}

TEST_CASE("ten thousand CAF actors are made, asked, and gone") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    constexpr int actors = 10'000;
    word<std::int64_t> all;
    sys->spawn([&](event_based_actor* self) {
      auto sum = std::make_shared<std::int64_t>(0);
      auto left = std::make_shared<int>(actors);
      for (int each = 0; each < actors; ++each) {
        const auto one = self->spawn([](event_based_actor* it) -> behavior {
          return {[=](int value) {
            it->quit();
            return value;
          }};
        });
        self->request(one, caf::infinite, each).then([=, &all](int value) {
          *sum += value;
          if (--*left == 0) all.say(*sum);
        });
      }
    });
    const std::int64_t sum = co_await all.heard();
    CHECK(sum == std::int64_t{actors} * (actors - 1) / 2);
    co_await sys.actors_done();
    CHECK(sys.running() == 0);
  });
}

}  // namespace
