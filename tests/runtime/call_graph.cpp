#include <troupe/runtime/call_graph.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/wait.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr int leaf_line = __LINE__ + 1;
coro<> leaf() { co_await sleep(1h); }
coro<> branch() { co_await leaf(); }

bool has(const std::string& text, std::string_view wanted) {
  INFO(text);
  const bool found = text.find(wanted) != std::string::npos;
  CHECK(found);
  return found;
}

/// The spaces before the line that begins with `name`; -1 when there is none.
int indent_of(const std::string& text, const std::string& name) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const std::size_t first = line.find_first_not_of(' ');
    if (first != std::string_view::npos && line.substr(first).starts_with(name))
      return static_cast<int>(first);
    begin = end + 1;
  }
  return -1;
}

/// The graph of the loop on which `body` has run for three rounds.
std::string graph_after(coro<> body) {
  auto outer = [](coro<> inner) -> coro<std::string> {
    const auto watched = create_task(std::move(inner), {.name = "watched"});
    co_await rounds(3);
    std::string text = format_call_graph();
    watched.cancel();
    co_await rounds(5);
    co_return text;
  };
  return testing::run(outer(std::move(body)));
}

}  // namespace

TEST_CASE(
    "the call graph shows the line at which each coroutine of a task waits, the innermost first") {
  const std::string text = graph_after(branch());
  INFO(text);
  const auto inner = text.find("leaf()");
  const auto outer = text.find("branch()");
  CHECK(inner != std::string::npos);
  CHECK(outer != std::string::npos);
  CHECK(inner < outer);
  has(text, "call_graph.cpp:" + std::to_string(leaf_line) + " in ");
  has(text, "call_graph.cpp:" + std::to_string(leaf_line + 1) + " in ");
  has(text, "waits for sleep");
}

TEST_CASE("the call graph puts what a task waits for under it") {
  auto body = []() -> coro<> {
    const auto inner = create_task(branch(), {.name = "inner"});
    co_await inner;
  };
  const std::string text = graph_after(body());
  CHECK(indent_of(text, "watched") == 0);
  CHECK(indent_of(text, "inner") == 4);
}

TEST_CASE("the call graph looks through gathers, shields, waits and groups") {
  auto gathers = []() -> coro<> {
    const auto inner = create_task(leaf(), {.name = "inner"});
    co_await gather(inner, leaf());
  };
  auto shields = []() -> coro<> {
    const auto inner = create_task(leaf(), {.name = "inner"});
    co_await shield(inner);
  };
  auto waits = []() -> coro<> {
    std::vector<task<>> all;
    all.push_back(create_task(leaf(), {.name = "inner"}));
    co_await wait(all);
  };
  auto groups = []() -> coro<> {
    task_group group;
    auto body = [&group]() -> coro<> {
      group.create_task(leaf(), {.name = "inner"});
      co_return;
    };
    co_await group.run(body);
  };
  CHECK(indent_of(graph_after(gathers()), "inner") == 4);
  CHECK(indent_of(graph_after(shields()), "inner") == 4);
  CHECK(indent_of(graph_after(waits()), "inner") == 4);
  CHECK(indent_of(graph_after(groups()), "inner") == 4);
}

TEST_CASE("the call graph shows a circle of waits, and where it closes") {
  auto body = []() -> coro<std::string> {
    task<>* second = nullptr;
    auto one = [&second]() -> coro<> { co_await *second; };
    auto first = create_task(one(), {.name = "first"});
    auto two = [&first]() -> coro<> { co_await first; };
    auto made = create_task(two(), {.name = "second"});
    second = &made;
    co_await rounds(2);
    std::string text = format_call_graph();
    first.cancel();
    made.cancel();
    co_await rounds(4);
    co_return text;
  };
  has(testing::run(body()), "which closes a circle of waits");
}

TROUPE_PROGRAM_TEST_CASE("the call graph of one task is only of what that waits for") {
  auto body = []() -> coro<std::string> {
    const auto shown = create_task(leaf(), {.name = "shown"});
    const auto other = create_task(leaf(), {.name = "other"});
    co_await rounds(2);
    std::string text = format_call_graph(shown);
    shown.cancel();
    other.cancel();
    co_return text;
  };
  const std::string text = testing::run(body());
  CHECK(indent_of(text, "shown") == 0);
  CHECK(indent_of(text, "other") == -1);
}

TEST_CASE("the call graph needs a running loop") {
  CHECK_THROWS_AS(format_call_graph(), invalid_state);
}
