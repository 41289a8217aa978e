// How a process is ended: by stop and kill, by what it throws while it cleans up, by the end of the runtime.
#include <troupe/actors/process.hpp>
#include <troupe/runtime/cancel_scope.hpp>

#include "actors/helpers.hpp"
#include "actors/mourner.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::mourning;

TEST_CASE("a stop cancels a process where it waits, and lets it clean up") {
  played result = play([](journal& into) -> coro<> {
    auto one = spawn(tidy, std::ref(into));
    one.tell(note{"first"});
    co_await settle();
    one.tell(note{"never"});
    auto refused = one.ask(question{});
    one.stop();
    one.stop();
    into.push_back(co_await ending(std::move(refused)));
    one.stop();
    into.push_back(co_await reason_of(one.stopped()));
  });
  REQUIRE(result.into.size() == 6);
  CHECK(starts_with(result.into[1], "dead: "));
  result.into[1] = "refused";
  CHECK(result.into ==
        journal{"first", "refused", "cancelled", "cleaned up", "frame gone", "stopped"});
  CHECK(result.log.text() == "");
}

TEST_CASE("a process that is stopped before it starts does not run") {
  const played result = play([](journal& into) -> coro<> {
    auto one = spawn(tidy, std::ref(into));
    one.tell(note{"never"});
    one.stop();
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"stopped"});
}

TEST_CASE("a stop cancels a process that waits for something else than a message") {
  const played result = play([](journal& into) -> coro<> {
    auto sleeper = [](noting_box&, journal& notes) -> coro<> {
      const mourner frame(notes, "frame");
      co_await sleep(infinite);
    };
    auto one = spawn(sleeper, std::ref(into));
    co_await settle();
    one.tell(note{"never"});
    co_await settle();
    one.stop();
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"frame gone", "stopped"});
}

TEST_CASE(
    "a process that stops itself is cancelled at its next await, with messages waiting or not") {
  for (const bool mail : {false, true}) {
    const played result = play([mail](journal& into) -> coro<> {
      auto suicidal = [](noting_box& inbox, journal& notes) -> coro<> {
        const mourner frame(notes, "frame");
        static_cast<void>(co_await inbox.receive());
        inbox.self().stop();
        notes.push_back("goes on");
        static_cast<void>(co_await inbox.receive());
        notes.push_back("too far");
      };
      auto one = spawn(suicidal, std::ref(into));
      one.tell(note{"a"});
      if (mail) one.tell(note{"b"});
      into.push_back(co_await reason_of(one.stopped()));
    });
    CHECK(result.into == journal{"goes on", "frame gone", "stopped"});
  }
}

TROUPE_PROGRAM_TEST_CASE("a process that has been told to stop receives nothing more") {
  const played result = play([](journal& into) -> coro<> {
    auto stubborn = [](noting_box& inbox, journal& notes) -> coro<> {
      for (int times = 0; times < 3; ++times) {
        try {
          if (times == 2) {
            static_cast<void>(co_await inbox.receive<note>(after(1h)));
          } else {
            static_cast<void>(co_await inbox.receive());
          }
        } catch (const cancelled&) {
          notes.push_back(inbox.try_receive() ? "a message" : "cancelled");
          inbox.self().tell(note{"refused"});
        }
      }
      cancel_scope shielded({.shield = true});
      auto receiving = [&]() -> coro<> { static_cast<void>(co_await inbox.receive()); };
      co_await shielded.run(receiving);
    };
    auto one = spawn(stubborn, std::ref(into));
    co_await settle();
    one.stop();
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"cancelled", "cancelled", "cancelled", "stopped"});
}

TEST_CASE("a kill ends a process for good, also while it cleans up") {
  for (const bool stopped_first : {false, true}) {
    const played result = play([stopped_first](journal& into) -> coro<> {
      auto one = spawn(tidy, std::ref(into));
      co_await settle();
      if (stopped_first) one.stop();
      co_await settle();
      one.kill();
      one.kill();
      into.push_back(co_await reason_of(one.stopped()));
    });
    CHECK(result.into == journal{"cancelled", "frame gone", "killed"});
  }
}

TEST_CASE("an error thrown while a process cleans up is reported, and is its reason") {
  const played result = play([](journal& into) -> coro<> {
    auto clumsy = [](noting_box& inbox) -> coro<> {
      try {
        static_cast<void>(co_await inbox.receive());
      } catch (const cancelled&) {
      }
      throw std::runtime_error("cannot clean up");
    };
    auto one = spawn(clumsy);
    co_await settle();
    one.stop();
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"crashed: std::runtime_error: cannot clean up"});
  CHECK(result.log.count("cannot clean up") == 1);
}

TEST_CASE("the end of the runtime ends processes, whatever they wait for") {
  journal into;
  failure_log log;
  auto body = [&]() -> coro<> {
    auto receiver = [](noting_box& inbox, journal& notes) -> coro<> {
      const mourner frame(notes, "receiver");
      for (;;) static_cast<void>(co_await inbox.receive());
    };
    auto choosy = [](noting_box& inbox, journal& notes) -> coro<> {
      const mourner frame(notes, "choosy");
      for (;;) static_cast<void>(co_await inbox.receive<note>());
    };
    auto timed = [](noting_box& inbox, journal& notes) -> coro<> {
      const mourner frame(notes, "timed");
      for (;;) static_cast<void>(co_await inbox.receive<note>(after(1h)));
    };
    auto sleeper = [](noting_box&, journal& notes) -> coro<> {
      const mourner frame(notes, "sleeper");
      co_await sleep(infinite);
    };
    spawn(receiver, std::ref(into));
    spawn(choosy, std::ref(into)).tell(fall{});
    spawn(timed, std::ref(into)).tell(fall{});
    spawn(sleeper, std::ref(into));
    co_await settle();
  };
  testing::run(body(), &log);
  CHECK(into == journal{"sleeper gone", "timed gone", "choosy gone", "receiver gone"});
  CHECK(log.text() == "");
}

TEST_CASE(
    "the shutdown insists upon the end of a process that cleans up for too long, or refuses to "
    "end") {
  for (const bool refuses : {false, true}) {
    journal into;
    failure_log log;
    auto body = [&]() -> coro<> {
      auto slow = [](noting_box& inbox, bool never, journal& notes) -> coro<> {
        const mourner frame(notes, "frame");
        inbox.spawn<class_child>(std::ref(notes), "child");
        for (;;) {
          try {
            static_cast<void>(co_await inbox.receive());
          } catch (const cancelled&) {
          }
          try {
            co_await sleep(infinite);
          } catch (const cancelled&) {
            notes.push_back("insisted");
            if (!never) co_return;
          }
          while (never) {
            try {
              co_await sleep(1h);
            } catch (const cancelled&) {
            }
          }
        }
      };
      spawn(slow, refuses, std::ref(into));
      co_await settle();
    };
    testing::run(body(), &log);
    CHECK(into == journal{"insisted", "frame gone", "child gone"});
    CHECK((log.text() == "") == !refuses);
  }
}
