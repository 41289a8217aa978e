// The children, tasks, monitors and links of a process.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "actors/mourner.hpp"
#include "support/catch.hpp"

#include <functional>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::mourning;

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
