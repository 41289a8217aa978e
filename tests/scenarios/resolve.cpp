// Names with real threads: those of the system's own files, and resolvers that take their time.
#include <troupe/io/internal/resolver.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/support.hpp"

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A resolver that keeps whoever asks until it is let go.
struct slow_resolver {
  std::mutex mutex;
  std::condition_variable changed;
  int asked = 0;
  int answered = 0;
  bool open = false;

  void let_go() {
    const std::scoped_lock lock(mutex);
    open = true;
    changed.notify_all();
  }
  int count_asked() {
    const std::scoped_lock lock(mutex);
    return asked;
  }
  /// Lets go all, and waits until their threads have what they asked for.
  void finish() {
    std::unique_lock lock(mutex);
    open = true;
    changed.notify_all();
    changed.wait(lock, [this] { return answered == asked; });
  }
};
slow_resolver* slow = nullptr;

io::internal::name_answer ask_slowly(io::internal::name_query) {
  std::unique_lock lock(slow->mutex);
  ++slow->asked;
  slow->changed.wait(lock, [] { return slow->open; });
  ++slow->answered;
  slow->changed.notify_all();
  return {{}, {io::endpoint("10.0.0.1", 0)}};
}

coro<std::vector<io::endpoint>> resolve_slowly(std::string host) {
  return io::internal::resolve_with(&ask_slowly, std::move(host), 80, {});
}

/// Is cancelled while the resolver, asked for the first time, does not answer.
coro<> give_up_a_look_up() {
  auto looking = create_task(resolve_slowly("example.org"));
  co_await poll_until([] { return slow->count_asked() == 1; });
  looking.cancel();
  CHECK_THROWS_AS(co_await looking, cancelled);
}

/// A fresh one per test: threads of an earlier test may still look at theirs.
class with_slow_resolver {
 public:
  with_slow_resolver() {
    static std::vector<std::unique_ptr<slow_resolver>> all;
    slow = all.emplace_back(std::make_unique<slow_resolver>()).get();
  }
  ~with_slow_resolver() {
    slow->finish();
    const std::scoped_lock lock(slow->mutex);  // the last thread has let go of it, or is about to
  }
  with_slow_resolver(const with_slow_resolver&) = delete;
  with_slow_resolver& operator=(const with_slow_resolver&) = delete;
};

}  // namespace

TEST_CASE("localhost is found by the system's resolver") {
  auto body = []() -> coro<> {
    const auto found = co_await io::resolve("localhost", 4711);
    REQUIRE_FALSE(found.empty());
    CHECK(std::all_of(found.begin(), found.end(), [](const io::endpoint& each) {
      return each.port() == 4711 && (each.address() == "127.0.0.1" || each.address() == "::1");
    }));
    const auto four = co_await io::resolve("localhost", 1, {io::address_family::ipv4});
    CHECK(four == std::vector{io::endpoint::loopback(1)});
  };
  run_scenario(body());
}

TEST_CASE("the port of a service is found by the system's resolver") {
  std::ifstream services("/etc/services");
  const std::string known((std::istreambuf_iterator<char>(services)),
                          std::istreambuf_iterator<char>());
  if (known.find("\nhttp\t") == std::string::npos) {
    WARN("skipped: this machine does not know the port of http");
    return;
  }
  auto body = []() -> coro<> {
    const auto found = co_await io::resolve("127.0.0.1", "http");
    CHECK(found == std::vector{io::endpoint::loopback(80)});
    std::error_code error;
    try {
      auto nothing = co_await io::resolve("127.0.0.1", "no-such-service");
    } catch (const std::system_error& caught) {
      error = caught.code();
    }
    CHECK(error == io::resolve_errc::unknown_service);
  };
  run_scenario(body());
}

TEST_CASE("who is cancelled does not wait for a slow resolver") {
  with_slow_resolver resolver;
  auto body = []() -> coro<> {
    co_await give_up_a_look_up();
    CHECK_THROWS_AS(co_await timeout(1ms, resolve_slowly("example.org")), timeout_error);
  };
  run_scenario(body());
}

TEST_CASE("what a resolver finds after a cancellation is dropped, and the next look-up works") {
  with_slow_resolver resolver;
  auto body = []() -> coro<> {
    co_await give_up_a_look_up();
    slow->let_go();
    const auto found = co_await resolve_slowly("example.org");
    CHECK(found == std::vector{io::endpoint("10.0.0.1", 80)});
  };
  run_scenario(body());
}

TEST_CASE(
    "only so many names are looked up at once, and who gives up in the queue is never looked up") {
  with_slow_resolver resolver;
  auto body = []() -> coro<> {
    constexpr int at_once = io::internal::lookup_threads;
    std::vector<task<std::vector<io::endpoint>>> all;
    for (int index = 0; index < at_once + 3; ++index)
      all.push_back(create_task(resolve_slowly("example.org")));
    co_await poll_until([] { return slow->count_asked() == at_once; });
    all.back().cancel();
    CHECK_THROWS_AS(co_await all.back(), cancelled);
    all.pop_back();
    slow->let_go();
    for (const auto& each : all) co_await each;
    CHECK(slow->count_asked() == at_once + 2);
  };
  run_scenario(body());
}

TEST_CASE(
    "a program ends although a resolver does not answer, and the answer finds nothing broken") {
  with_slow_resolver resolver;
  auto body = []() -> coro<> {
    create_task(resolve_slowly("example.org"));
    co_await poll_until([] { return slow->count_asked() == 1; });
  };
  const auto begin = std::chrono::steady_clock::now();
  run_scenario(body(), 2);
  CHECK(std::chrono::steady_clock::now() - begin < 30s);
  // Another loop, perhaps in the memory of the first, while the thread still looks up for that.
  auto later = []() -> coro<> {
    const auto found = co_await io::resolve("127.0.0.1", 1);
    CHECK(found.size() == 1);
    slow->let_go();
    co_await poll_until([] {
      const std::scoped_lock lock(slow->mutex);
      return slow->answered == 1;
    });
    co_await turns();
  };
  run_scenario(later());
}

TEST_CASE("names are looked up on every loop of a runtime") {
  auto body = []() -> coro<> {
    std::vector<task<std::vector<io::endpoint>>> all;
    for (int index = 0; index < 50; ++index)
      all.push_back(create_task(io::resolve("localhost", 1)));
    for (const auto& each : all) {
      const auto found = co_await each;
      CHECK_FALSE(found.empty());
    }
  };
  run_scenario(body(), 2);
}
