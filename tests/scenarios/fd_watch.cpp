// Descriptors that somebody else owns, reads, writes and closes.
#include <troupe/io/fd_watch.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/raw_descriptors.hpp"
#include "scenarios/support.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct both_ends {
  io::descriptor ours;
  io::descriptor theirs;
};
both_ends make_pair() {
  int made[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, made) == 0);
  return {io::descriptor(made[0]), io::descriptor(made[1])};
}
/// Fills what the system takes.
void fill(const io::descriptor& into) {
  const std::string much(1 << 16, 'x');
  while (::write(into.get(), much.data(), much.size()) > 0) {
  }
}
coro<io::fd_events> ready(io::fd_watch& of, io::fd_events wanted) {
  co_return co_await of.ready(wanted);
}
/// Gives `wanted` number to a new descriptor: that of `from`, which is closed.
void move_to(io::descriptor& from, int wanted) {
  REQUIRE(::dup3(from.get(), wanted, O_CLOEXEC) == wanted);
  from.close();
}

template <class Error>
coro<bool> throws(task<io::fd_events> waiting) {
  try {
    co_await waiting;
  } catch (const Error&) {
    co_return true;
  }
  co_return false;
}
coro<std::error_code> error_of(task<io::fd_events> waiting) {
  try {
    co_await waiting;
  } catch (const std::system_error& error) {
    co_return error.code();
  }
  co_return std::error_code();
}

}  // namespace

TEST_CASE("a foreign descriptor is waited for, and told of as long as it is ready") {
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    io::fd_watch watched(two.ours.get());
    CHECK(watched.native() == two.ours.get());
    auto waiting = create_task(ready(watched, {.readable = true}));
    co_await turns();
    CHECK_FALSE(waiting.done());
    put(two.theirs, "hello");
    const io::fd_events found = co_await waiting;
    CHECK(found.readable);
    CHECK_FALSE(found.failed);
    co_await watched.readable();  // nobody has read it
    CHECK(take(two.ours.get()) == "hello");
    auto again = create_task(ready(watched, {.readable = true}));
    co_await turns();
    CHECK_FALSE(again.done());
    two.theirs.close();
    const io::fd_events end = co_await again;
    CHECK(end.readable);
    watched.release();
    watched.release();
    CHECK(watched.native() == -1);
  };
  run_scenario(body());
}

TEST_CASE("reading and writing of a foreign descriptor are waited for apart") {
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    io::fd_watch watched(two.ours.get());
    co_await watched.writable();
    fill(two.ours);
    auto writing = create_task(ready(watched, {.writable = true}));
    auto reading = create_task(ready(watched, {.readable = true}));
    auto either = create_task(ready(watched, {.readable = true, .writable = true}));
    co_await turns();
    CHECK_FALSE(writing.done());
    put(two.theirs, "x");
    co_await reading;
    const io::fd_events first = co_await either;
    CHECK(first.readable);
    CHECK_FALSE(first.writable);
    CHECK_FALSE(writing.done());
    while (!take(two.theirs.get()).empty()) {
    }
    const io::fd_events last = co_await writing;
    CHECK(last.writable);
  };
  run_scenario(body());
}

TEST_CASE(
    "a wait for a foreign descriptor is cancelled, by hand and by a time limit, and loses "
    "nothing") {
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    io::fd_watch watched(two.ours.get());
    for (int turn = 0; turn < 20; ++turn) {
      auto waiting = create_task(ready(watched, {.readable = true}));
      for (int rounds = turn % 4; rounds > 0; --rounds) co_await sleep(0s);
      waiting.cancel();
      bool was_cancelled = false;
      try {
        co_await waiting;
      } catch (const cancelled&) {
        was_cancelled = true;
      }
      CHECK(was_cancelled);
    }
    bool late = false;
    try {
      co_await timeout(1ms, ready(watched, {.readable = true}));
    } catch (const timeout_error&) {
      late = true;
    }
    CHECK(late);
    put(two.theirs, "x");
    co_await watched.readable();
    CHECK(take(two.ours.get()) == "x");
  };
  run_scenario(body());
}

TEST_CASE("several watches of one number, and of a duplicate of it, are independent") {
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    io::descriptor copy(::fcntl(two.ours.get(), F_DUPFD_CLOEXEC, 0));
    io::fd_watch one(two.ours.get());
    auto other = std::make_unique<io::fd_watch>(two.ours.get());
    io::fd_watch of_copy(copy.get());
    auto first = create_task(ready(one, {.readable = true}));
    auto second = create_task(ready(*other, {.readable = true}));
    auto third = create_task(ready(of_copy, {.readable = true}));
    co_await turns();
    other.reset();
    const bool refused = co_await throws<invalid_state>(second);
    CHECK(refused);
    put(two.theirs, "x");
    co_await first;
    co_await third;
    of_copy.release();
    copy.close();
    co_await one.readable();
  };
  run_scenario(body());
}

TEST_CASE("what cannot be watched says which it was and why") {
  auto body = []() -> coro<> {
    const auto refused = [](int number) {
      try {
        io::fd_watch watched(number);
      } catch (const std::system_error& error) {
        return std::pair(error.code(), std::string(error.what()));
      }
      return std::pair(std::error_code(), std::string());
    };
    CHECK(refused(-1).first == std::errc::bad_file_descriptor);
    const io::descriptor plain(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    const auto [error, text] = refused(plain.get());
    CHECK(error == std::errc::operation_not_permitted);
    CHECK(text.find("descriptor " + std::to_string(plain.get()) + ", a plain file") !=
          std::string::npos);
    both_ends two = make_pair();
    io::fd_watch watched(two.ours.get());
    bool nothing_wanted = false;
    try {
      co_await watched.ready({});
    } catch (const std::invalid_argument&) {
      nothing_wanted = true;
    }
    CHECK(nothing_wanted);
    watched.release();
    bool gone = false;
    try {
      co_await watched.readable();
    } catch (const invalid_state&) {
      gone = true;
    }
    CHECK(gone);
  };
  run_scenario(body());
}

// --- owners that close too early --------------------------------------------------------------------------------------

TEST_CASE(
    "a wait for a descriptor that has been closed fails, and so does one whose number is another's "
    "now") {
  failure_log log;
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    both_ends others = make_pair();
    io::fd_watch closed_one(two.ours.get());
    io::fd_watch reused_one(two.theirs.get());
    two.ours.close();
    std::error_code error = co_await error_of(create_task(ready(closed_one, {.readable = true})));
    CHECK(error == std::errc::bad_file_descriptor);
    const int number = two.theirs.release();
    REQUIRE(::close(number) == 0);
    move_to(others.ours, number);
    put(others.theirs, "not for you");
    error = co_await error_of(create_task(ready(reused_one, {.readable = true})));
    CHECK(error == std::errc::bad_file_descriptor);
    const io::descriptor tidy(number);
  };
  run_scenario(body(), 1, &log);
  CHECK(log.text() == "");  // it was said where it was seen
}

TEST_CASE(
    "a wait that was under way when its descriptor was closed never fires for the next one of that "
    "number") {
  failure_log log;
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    both_ends others = make_pair();
    const int number = two.ours.get();
    io::fd_watch stale(number);
    auto waiting = create_task(ready(stale, {.readable = true}));
    co_await turns();
    move_to(others.ours, two.ours.release());  // closes what had the number
    put(others.theirs, "x");
    co_await turns();
    CHECK_FALSE(waiting.done());
    // Who watches the number anew has it for itself.
    io::fd_watch fresh(number);
    co_await fresh.readable();
    const std::error_code error = co_await error_of(waiting);
    CHECK(error == std::errc::bad_file_descriptor);
    fresh.release();
    const io::descriptor tidy(number);
  };
  run_scenario(body(), 1, &log);
}

TEST_CASE(
    "a file that lives on under another number is not taken for the next one of its old number") {
  failure_log log;
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    both_ends others = make_pair();
    const int number = two.ours.get();
    const io::descriptor copy(::fcntl(number, F_DUPFD_CLOEXEC, 0));
    io::fd_watch stale(number);
    auto waiting = create_task(ready(stale, {.readable = true}));
    co_await turns();
    move_to(others.ours, two.ours.release());
    {
      io::fd_watch fresh(number);
      auto fresh_wait = create_task(ready(fresh, {.readable = true}));
      put(two.theirs, "for the old file");  // which the system still watches
      co_await turns();
      CHECK_FALSE(fresh_wait.done());
      put(others.theirs, "x");
      co_await fresh_wait;
      const std::error_code error = co_await error_of(waiting);
      CHECK(error == std::errc::bad_file_descriptor);
    }
    const io::descriptor tidy(number);
  };
  run_scenario(body(), 1, &log);
}

TEST_CASE("a release that comes too late is reported") {
  failure_log log;
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    io::fd_watch watched(two.ours.get());
    two.ours.close();
    watched.release();
    co_return;
  };
  run_scenario(body(), 1, &log);
  CHECK(log.count("the release of an fd_watch came too late") == 1);
  CHECK(log.count("release the watch first") == 1);
}

// --- calls ------------------------------------------------------------------------------------------------------------

TEST_CASE("a callback is called for as long as there is something, and may take itself away") {
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    io::fd_watch watched(two.ours.get());
    std::string got;
    promise<bool> all;
    const future<bool> told = all.get_future();
    watched.call_on({.readable = true}, [&](io::fd_events found) {
      CHECK(found.readable);
      char one = 0;
      REQUIRE(::read(watched.native(), &one, 1) == 1);
      got += one;
      if (got.size() < 5) return;
      watched.call_on({}, {});
      all.set_value(true);
    });
    put(two.theirs, "hello, and more");
    co_await told;
    co_await turns();
    CHECK(got == "hello");
    int calls = 0;
    watched.call_on({.writable = true}, [&](io::fd_events found) {
      CHECK(found.writable);
      if (++calls == 3) watched.release();
    });
    co_await poll_until([&] { return calls == 3; });
    co_await turns();
    CHECK(calls == 3);
  };
  run_scenario(body());
}

TEST_CASE("a callback may destroy its watch, and one that throws is reported and called again") {
  failure_log log;
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    auto watched = std::make_unique<io::fd_watch>(two.ours.get());
    int calls = 0;
    watched->call_on({.writable = true}, [&](io::fd_events) {
      if (++calls == 1) throw std::runtime_error("thrown by a callback");
      watched.reset();
    });
    co_await poll_until([&] { return watched == nullptr; });
    co_await turns();
    CHECK(calls == 2);
  };
  run_scenario(body(), 1, &log);
  CHECK(log.count("thrown by a callback") == 1);
}

TEST_CASE("a callback that is replaced while its call is on its way is not called") {
  auto body = []() -> coro<> {
    both_ends two = make_pair();
    io::fd_watch watched(two.ours.get());
    int first = 0;
    int second = 0;
    watched.call_on({.writable = true}, [&](io::fd_events) {
      ++first;
      watched.call_on({.readable = true}, [&](io::fd_events) {
        ++second;
        static_cast<void>(take(watched.native()));
      });
    });
    co_await poll_until([&] { return first == 1; });
    put(two.theirs, "x");
    co_await poll_until([&] { return second == 1; });
    co_await turns();
    CHECK(first == 1);
    CHECK(second == 1);
    watched.call_on({.writable = true}, [&](io::fd_events) { ++first; });
    watched.call_on({}, {});
    co_await turns();
    CHECK(first == 1);
  };
  run_scenario(body());
}

TEST_CASE("a watch that outlives its loop, or waits when it ends, does no harm") {
  both_ends two = make_pair();
  std::unique_ptr<io::fd_watch> kept;
  auto body = [&]() -> coro<> {
    kept = std::make_unique<io::fd_watch>(two.ours.get());
    kept->call_on({.readable = true}, [](io::fd_events) {});
    create_task(ready(*kept, {.readable = true}));
    co_await turns();
  };
  run_options options;
  options.handle_interrupt = false;
  troupe::run(body(), options);
  kept->release();
  kept.reset();
}
