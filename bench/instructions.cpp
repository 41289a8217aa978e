// What bench/instructions counts: `bench-instructions CASE COUNT` does COUNT operations of one kind on one loop. It measures
// nothing itself: the script runs it under callgrind with two counts and divides the difference.
//
// The loop runs on virtual time. How often it looks at its sockets and timers follows from how long works take, which under
// callgrind is no time that means anything; on virtual time works take none, so it looks as rarely as when it is busiest, and
// after the same number of works in every run.
#include <troupe/troupe.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <variant>

#include "actors.hpp"
#include "harness.hpp"

namespace {

using troupe::coro;

// --- pingpong: one message, there or back -------------------------------------------------------

coro<void> pingpong(std::int64_t count) {
  auto a = troupe::spawn<bench::player>();
  auto b = troupe::spawn<bench::returner>();
  a.tell(bench::partner_is{b});
  b.tell(bench::partner_is{a});
  troupe::promise<int> done;
  auto over = done.get_future();
  a.tell(bench::serve{count, std::move(done)});
  co_await over;
}

// --- process: the same between two processes ----------------------------------------------------

coro<void> serving(troupe::mailbox<bench::ball, bench::partner_is, bench::serve>& inbox) {
  const auto to = co_await inbox.receive<bench::partner_is>();
  auto order = co_await inbox.receive<bench::serve>();
  to.partner.tell(bench::ball{});
  for (std::int64_t left = order.messages; (left -= 2) > 0;) {
    co_await inbox.receive<bench::ball>();
    to.partner.tell(bench::ball{});
  }
  order.done.set_value(0);
}

coro<void> returning(troupe::mailbox<bench::ball, bench::partner_is>& inbox) {
  const auto to = co_await inbox.receive<bench::partner_is>();
  for (;;) {
    const auto got = co_await inbox.receive();
    if (std::get_if<bench::ball>(&got) != nullptr) to.partner.tell(bench::ball{});
  }
}

coro<void> process(std::int64_t count) {
  auto a = troupe::spawn(serving);
  auto b = troupe::spawn(returning);
  a.tell(bench::partner_is{b});
  b.tell(bench::partner_is{a});
  troupe::promise<int> done;
  auto over = done.get_future();
  a.tell(bench::serve{count, std::move(done)});
  co_await over;
}

// --- ask: one round trip, plain handler, default time-out ---------------------------------------

coro<void> ask(std::int64_t count) {
  auto to = troupe::spawn<bench::oracle>();
  std::int64_t value = 0;
  while (value != count) value = co_await to.ask(bench::question{value});
}

// --- spawn: an actor is made, gets one message and dies -----------------------------------------

coro<void> spawn(std::int64_t count) {
  for (std::int64_t made = 1; made <= count; ++made) {
    troupe::spawn<bench::mayfly>().tell(bench::die{});
    if (made % bench::chunk == 0) co_await troupe::sleep(std::chrono::seconds(0));
  }
}

// --- task: created, awaited, done ---------------------------------------------------------------

coro<void> task(std::int64_t count) {
  std::int64_t value = 0;
  while (value != count) value = co_await troupe::create_task(bench::successor(value));
}

// --- yield: sleep(0), once round the loop -------------------------------------------------------

coro<void> yield(std::int64_t count) {
  for (std::int64_t times = 0; times != count; ++times)
    co_await troupe::sleep(std::chrono::seconds(0));
}

struct kind {
  std::string_view name;
  coro<void> (*run)(std::int64_t count);
};
constexpr kind kinds[] = {{"pingpong", pingpong}, {"process", process}, {"ask", ask},
                          {"spawn", spawn},       {"task", task},       {"yield", yield}};

coro<void> operations(const kind& chosen, std::int64_t count) {
  // Virtual time starts at zero, which the loop takes for "not known".
  co_await troupe::sleep(std::chrono::milliseconds(1));
  co_await chosen.run(count);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t count = argc == 3 ? std::atoll(argv[2]) : 0;
  for (const kind& each : kinds) {
    if (count > 0 && each.name == argv[1]) {
      troupe::run(operations(each, count), {.handle_interrupt = false, .virtual_time = true});
      return 0;
    }
  }
  std::fprintf(stderr, "usage: bench-instructions CASE COUNT, where CASE is one of");
  for (const kind& each : kinds) std::fprintf(stderr, " %s", each.name.data());
  std::fputc('\n', stderr);
  return 2;
}
