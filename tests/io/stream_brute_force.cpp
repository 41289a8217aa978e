// Streams over memory, with the task that reads, or the one that writes, stopped at every place where it can be stopped.
#include <troupe/io/memory.hpp>
#include <troupe/runtime/timeout.hpp>

#include "runtime/brute_force.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

const std::string expected = "one\ntwo and more\n\nfour\n";

struct stage {
  std::string got;
};

void verify(stage& with) {
  // A sender that is stopped may leave a last line without its newline.
  if (!with.got.empty()) with.got.pop_back();
  CHECK(expected.starts_with(with.got));
}

coro<> send_lines(io::stream to) {
  std::size_t at = 0;
  for (const std::size_t part : {2U, 7U, 1U, 6U, 100U}) {
    to.write(std::string_view(expected).substr(at, part));
    at += part;
    co_await to.drain();
  }
  to.write_eof();
  // The other side answers when it has all.
  const io::bytes answer = co_await to.read_exactly(2);
  to.close();
  co_await to.wait_closed();
}

/// A peer that has gone is no failure here.
coro<> send_all(io::stream to) {
  try {
    co_await send_lines(std::move(to));
  } catch (const std::system_error&) {
  } catch (const io::incomplete_read&) {
  }
}

coro<> read_lines(stage& with) {
  auto two = io::memory_pair(4, {.high_water = 3, .low_water = 1});
  auto sending = create_task(send_all(std::move(two.first)), {.name = "sender"});
  while (auto line = co_await two.second.next_line()) with.got += *line + "\n";
  two.second.write("ok");
  two.second.close();
  co_await two.second.wait_closed();
  co_await sending;
}

/// Each read has a time limit that strikes in its midst; nothing is lost by it.
coro<> read_with_limits(stage& with) {
  auto two = io::memory_pair(4, {.high_water = 3, .low_water = 1});
  auto sending = create_task(send_all(std::move(two.first)), {.name = "sender"});
  for (;;) {
    std::optional<std::string> line;
    bool over = false;
    bool late = false;
    try {
      line = co_await timeout(0s, [](io::stream& from) -> coro<std::optional<std::string>> {
        co_return co_await from.next_line();
      }(two.second));
      over = !line;
    } catch (const timeout_error&) {
      late = true;
    }
    if (over) break;
    if (late) co_await sleep(1ms);
    if (line) with.got += *line + "\n";
  }
  two.second.write("ok");
  two.second.close();
  co_await sending;
}

void stop_everywhere(coro<> (*scene)(stage&), const std::string& victim) {
  brute_force_options options;
  options.victim = victim;
  options.may_fail = true;  // a peer that is stopped is a loss
  for_each_cancellation<stage>(scene, verify, options);
  options.for_good = true;
  for_each_cancellation<stage>(scene, verify, options);
  options.for_good = false;
  options.twice = true;
  for_each_cancellation<stage>(scene, verify, options);
  for_each_abandonment<stage>(scene, verify, options);
}

}  // namespace

TEST_CASE("a reader of lines may be stopped at any place") { stop_everywhere(read_lines, ""); }
TEST_CASE("a writer that drains may be stopped at any place") {
  stop_everywhere(read_lines, "sender");
}
TEST_CASE("reads with time limits lose nothing, wherever they are stopped") {
  stop_everywhere(read_with_limits, "");
}
