// How a process starts and ends: by returning, by what it throws, by stop and kill; its family, tasks and monitors.
#include <troupe/actors/process.hpp>
#include <troupe/runtime/cancel_scope.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  std::string text;
};
struct question {
  using reply = int;
};
struct fall {};
using noting = protocol<note, question, fall>;
using noting_box = mailbox<note, question, fall>;

/// Notes in a journal that something of it ends.
class mourner {
 public:
  mourner(journal& into, std::string what) : into_(into), what_(std::move(what)) {}
  mourner(const mourner&) = delete;
  mourner& operator=(const mourner&) = delete;
  ~mourner() { into_.push_back(what_ + " gone"); }

 private:
  journal& into_;
  std::string what_;
};

/// Notes what comes; cleans up for a second when it is cancelled.
coro<> tidy(noting_box& inbox, journal& into) {
  const mourner frame(into, "frame");
  try {
    for (;;) {
      auto got = co_await inbox.receive();
      if (std::get_if<fall>(&got) != nullptr) throw std::runtime_error("no rope");
      if (auto* const n = std::get_if<note>(&got)) into.push_back(n->text);
    }
  } catch (const cancelled&) {
    into.push_back("cancelled");
  }
  co_await sleep(1s);
  into.push_back("cleaned up");
}

class class_child : public actor<noting> {
 public:
  class_child(journal& into, std::string name) : mourner_(into, std::move(name)) {}
  void on(note) {}
  int on(question) { return 1; }
  void on(fall) {}

 private:
  mourner mourner_;
};

struct played {
  journal into;
  failure_log log;
};

/// Runs `scene` with a journal; failures are expected.
template <class Scene>
played play(Scene scene) {
  played result;
  auto body = scene(result.into);
  testing::run(std::move(body), &result.log);
  return result;
}

coro<std::string> reason_of(future<exit_reason> end) {
  const exit_reason why = co_await end;
  co_return why.text();
}

}  // namespace

TEST_CASE("a process ends when its coroutine returns") {
  const played result = play([](journal& into) -> coro<> {
    auto short_lived = [](noting_box& inbox, journal& notes) -> coro<> {
      const note n = co_await inbox.receive<note>();
      notes.push_back(n.text);
    };
    auto one = spawn(short_lived, std::ref(into));
    auto end = reason_of(one.stopped());
    one.tell(note{"only"});
    one.tell(note{"never"});
    auto late = one.ask(question{});
    into.push_back(co_await end);
    into.push_back(co_await ending(std::move(late)));
    into.push_back(co_await ending(one.ask(question{})));
  });
  REQUIRE(result.into.size() == 4);
  CHECK(result.into[0] + " " + result.into[1] == "only stopped");
  CHECK(starts_with(result.into[2], "dead: "));
  CHECK(starts_with(result.into[3], "dead: "));
  CHECK(result.log.text() == "");
}

TEST_CASE("a process that never waits ends as well") {
  const played result = play([](journal& into) -> coro<> {
    auto one = spawn(
        [](noting_box&, journal& notes) -> coro<> {
          notes.push_back("ran");
          co_return;
        },
        std::ref(into));
    into.push_back("spawned");
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"spawned", "ran", "stopped"});
}

TEST_CASE("a process that throws has crashed, which monitors are told") {
  const played result = play([](journal& into) -> coro<> {
    auto one = spawn(tidy, std::ref(into));
    one.tell(fall{});
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"frame gone", "crashed: std::runtime_error: no rope"});
  CHECK(result.log.count("crashed") == 1);
}

TEST_CASE("a process may throw before its first await, or be a function that throws") {
  for (const bool no_coroutine : {false, true}) {
    const played result = play([no_coroutine](journal& into) -> coro<> {
      auto throws = [](noting_box&, bool at_once) -> coro<> {
        auto later = []() -> coro<> {
          throw std::runtime_error("no rope");
          co_return;
        };
        if (at_once) throw std::runtime_error("no rope");
        return later();
      };
      auto one = spawn(throws, no_coroutine);
      auto answer = one.ask(question{});
      into.push_back(co_await reason_of(one.stopped()));
      into.push_back(co_await ending(std::move(answer)));
    });
    REQUIRE(result.into.size() == 2);
    CHECK(result.into[0] == "crashed: std::runtime_error: no rope");
    CHECK(starts_with(result.into[1], "dead: "));
    CHECK(result.log.count("crashed") == 1);
  }
}

TEST_CASE("a process that lets a cancellation escape which is not its own has crashed") {
  const played result = play([](journal& into) -> coro<> {
    auto careless = [](noting_box&) -> coro<> {
      throw cancelled{};
      co_return;
    };
    auto one = spawn(careless);
    into.push_back(co_await reason_of(one.stopped()));
  });
  REQUIRE(result.into.size() == 1);
  CHECK(starts_with(result.into[0], "crashed: "));
}

// --- stop and kill ----------------------------------------------------------------------------------------------------

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

TEST_CASE("a process that has been told to stop receives nothing more") {
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

// --- family and tasks -------------------------------------------------------------------------------------------------

TEST_CASE("the children of a process stop once it has ended, the youngest first") {
  for (const bool by_stop : {false, true}) {
    const played result = play([by_stop](journal& into) -> coro<> {
      auto child = [](noting_box& inbox, journal& notes) -> coro<> {
        const mourner frame(notes, "process child");
        for (;;) static_cast<void>(co_await inbox.receive());
      };
      auto parent = [child](noting_box& inbox, journal& notes) -> coro<> {
        const mourner frame(notes, "parent");
        auto first = inbox.spawn<class_child>(std::ref(notes), "class child");
        auto second = inbox.spawn({.name = "second"}, child, std::ref(notes));
        notes.push_back(second.description().substr(second.description().find('\'')));
        co_await settle();
        static_cast<void>(co_await inbox.receive());
      };
      auto one = spawn(parent, std::ref(into));
      co_await sleep(1s);
      if (by_stop) {
        one.stop();
      } else {
        one.tell(note{"end"});
      }
      into.push_back(co_await reason_of(one.stopped()));
    });
    CHECK(result.into ==
          journal{"'second'", "parent gone", "process child gone", "class child gone", "stopped"});
  }
}

TEST_CASE("a process may be the child of a class actor") {
  struct begin {};
  struct parent : actor<protocol<begin>> {
    explicit parent(journal& given) : into(given) {}
    void on(begin) {
      auto child = [](noting_box& inbox, journal& notes, std::string name) -> coro<> {
        const mourner frame(notes, name);
        static_cast<void>(co_await inbox.receive());
      };
      spawn(child, std::ref(into), "older");
      spawn({.name = "younger"}, child, std::ref(into), "younger");
      spawn(place::here, child, std::ref(into), "youngest");
    }
    void on_stop() { into.push_back("on_stop"); }
    journal& into;
  };
  const played result = play([](journal& into) -> coro<> {
    auto one = spawn<parent>(std::ref(into));
    one.tell(begin{});
    co_await settle();
    one.stop();
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into ==
        journal{"youngest gone", "younger gone", "older gone", "on_stop", "stopped"});
}

TEST_CASE("the tasks of a process are cancelled when it has ended") {
  const played result = play([](journal& into) -> coro<> {
    auto busy = [](noting_box& inbox, journal& notes) -> coro<> {
      const mourner frame(notes, "frame");
      auto work = [](journal& to) -> coro<> {
        const mourner task_frame(to, "task");
        co_await sleep(infinite);
      };
      inbox.create_task(work(notes));
      static_cast<void>(co_await inbox.receive());
    };
    auto one = spawn(busy, std::ref(into));
    co_await settle();
    one.tell(note{"end"});
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"frame gone", "task gone", "stopped"});
}

TEST_CASE("a process that monitors receives a down like any message") {
  const played result = play([](journal& into) -> coro<> {
    auto observer = [](mailbox<note, down>& inbox, any_actor who, journal& notes) -> coro<> {
      static_cast<void>(inbox.monitor(who));
      auto unwanted = inbox.monitor(who);
      const note n = co_await inbox.receive<note>();  // the downs wait meanwhile
      unwanted.cancel();
      notes.push_back(n.text);
      const down d = co_await inbox.receive<down>();
      notes.push_back((d.who == who ? "down: " : "somebody: ") + d.reason.text());
      auto more = co_await inbox.receive(after(1s));
      notes.push_back(more ? "more" : "no more");
    };
    auto one = spawn(tidy, std::ref(into));
    auto by = spawn(observer, one, std::ref(into));
    co_await settle();
    one.kill();
    co_await settle();
    by.tell(note{"a note"});
    into.push_back(co_await reason_of(by.stopped()));
  });
  CHECK(result.into ==
        journal{"cancelled", "frame gone", "a note", "down: killed", "no more", "stopped"});
}

TEST_CASE("a process that is linked crashes with the other, after its clean-up") {
  const played result = play([](journal& into) -> coro<> {
    auto linked = [](noting_box& inbox, any_actor other, journal& notes) -> coro<> {
      inbox.link(other);
      try {
        static_cast<void>(co_await inbox.receive());
      } catch (const cancelled&) {
      }
      co_await sleep(1s);
      notes.push_back("cleaned up");
    };
    auto one = spawn(tidy, std::ref(into));
    auto other = spawn(linked, one, std::ref(into));
    co_await settle();
    one.tell(fall{});
    into.push_back((co_await reason_of(other.stopped())).substr(0, 8));
  });
  CHECK(result.into == journal{"frame gone", "cleaned up", "crashed:"});
}

TEST_CASE("a process knows its name and its ref") {
  const played result = play([](journal& into) -> coro<> {
    auto named = [](noting_box& inbox, journal& notes) -> coro<> {
      notes.push_back(std::string(inbox.name()));
      inbox.self().tell(note{"to myself"});
      const note n = co_await inbox.receive<note>();
      notes.push_back(n.text);
    };
    static_cast<void>(co_await spawn({.name = "ada"}, named, std::ref(into)).stopped());
    static_cast<void>(co_await spawn(named, std::ref(into)).stopped());
  });
  CHECK(result.into == journal{"ada", "to myself", "", "to myself"});
}

// --- functions and arguments -----------------------------------------------------------------------------------------

namespace {
coro<> with_arguments(noting_box&, const std::string& text, std::unique_ptr<int> number,
                      journal& into) {
  co_await settle();
  into.push_back(text + std::to_string(*number));
}
}  // namespace

TEST_CASE("the arguments of a process live as long as it does, also those it takes by reference") {
  const played result = play([](journal& into) -> coro<> {
    static_cast<void>(co_await spawn(with_arguments, "a text that is longer than a small string ",
                                     std::make_unique<int>(7), std::ref(into))
                          .stopped());
  });
  CHECK(result.into == journal{"a text that is longer than a small string 7"});
}

TEST_CASE("a lambda that is a process may capture, and may be gone when the process runs") {
  const played result = play([](journal& into) -> coro<> {
    std::optional<actor_ref<noting>> one;
    {
      std::string captured = "a text that is longer than a small string";
      one = spawn([captured, &into](noting_box& inbox) mutable -> coro<> {
        const note n = co_await inbox.receive<note>();
        captured += n.text;
        into.push_back(captured);
      });
    }
    co_await settle();
    one->tell(note{"!"});
    static_cast<void>(co_await one->stopped());
  });
  CHECK(result.into == journal{"a text that is longer than a small string!"});
}

TEST_CASE("a process whose argument throws when it is moved is not there, and spawn throws") {
  struct heavy {
    heavy() = default;
    heavy(const heavy&) { throw std::runtime_error("too heavy"); }
  };
  const played result = play([](journal& into) -> coro<> {
    try {
      spawn([](noting_box&, heavy) -> coro<> { co_return; }, heavy());
    } catch (const std::runtime_error& error) {
      into.push_back(error.what());
    }
    co_await settle();
  });
  CHECK(result.into == journal{"too heavy"});
}
