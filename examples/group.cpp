// Two tasks in a group under one time limit: both end before the group does, or both are cancelled.
// Run: group        Prints: what was fetched, then that a slow one was too slow
#include <troupe/troupe.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

// [group]
troupe::coro<std::string> fetch(std::string name, std::chrono::milliseconds takes) {
  co_await troupe::sleep(takes);
  co_return name + " after " + std::to_string(takes.count()) + " ms";
}

troupe::coro<bool> fetch_both(std::chrono::milliseconds first, std::chrono::milliseconds second) {
  troupe::task_group group;
  auto body = [&]() -> troupe::coro<> {
    auto news = group.create_task(fetch("news", first));
    auto weather = group.create_task(fetch("weather", second), {.name = "weather"});
    const std::string one = co_await news;
    const std::string other = co_await weather;
    std::printf("%s\n%s\n", one.c_str(), other.c_str());
  };
  try {
    co_await troupe::timeout(100ms, group.run(body));
    co_return true;
  } catch (const troupe::timeout_error&) {
    std::puts("too slow");
  }
  co_return false;
}
// [/group]

troupe::coro<int> amain() {
  // In a busy minute even the quick ones may be late; the slow one never comes in time.
  const bool quick = co_await fetch_both(2ms, 1ms);
  const bool slow = co_await fetch_both(1ms, 1h);
  if (!quick) std::puts("(this machine is busy)");
  co_return slow ? 1 : 0;
}

int main() { return troupe::run_main(amain()); }
