#include <troupe/runtime/asio.hpp>

#include <troupe/runtime/any_task.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <asio/buffer.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <array>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

using socket_pair =
    std::pair<asio::local::stream_protocol::socket, asio::local::stream_protocol::socket>;

socket_pair connected() {
  socket_pair made{asio::local::stream_protocol::socket(asio_context()),
                   asio::local::stream_protocol::socket(asio_context())};
  asio::local::connect_pair(made.first, made.second);
  return made;
}

template <class T>
T in_real_time(coro<T> body) {
  failure_log log;
  if constexpr (std::is_void_v<T>) {
    troupe::run(std::move(body), real_time(log));
    CHECK(log.text() == "");
  } else {
    T result = troupe::run(std::move(body), real_time(log));
    CHECK(log.text() == "");
    return result;
  }
}

}  // namespace

TEST_CASE("an operation of asio without results can be awaited") {
  auto body = []() -> coro<> {
    asio::steady_timer timer(asio_context(), 1us);
    co_await timer.async_wait(use_troupe);
  };
  in_real_time(body());
}

TEST_CASE("an operation of asio gives its result") {
  auto body = []() -> coro<std::string> {
    auto [near, far] = connected();
    const std::string sent = "hello";
    co_await asio::async_write(near, asio::buffer(sent), use_troupe);
    std::array<char, 64> buffer{};
    const std::size_t got = co_await far.async_read_some(asio::buffer(buffer), use_troupe);
    co_return std::string(buffer.data(), got);
  };
  CHECK(in_real_time(body()) == "hello");
}

TEST_CASE("an operation of asio that fails throws its error code") {
  auto body = []() -> coro<std::error_code> {
    auto [near, far] = connected();
    near.close();
    std::array<char, 1> buffer{};
    try {
      co_await far.async_read_some(asio::buffer(buffer), use_troupe);
    } catch (const std::system_error& error) {
      co_return error.code();
    }
    co_return std::error_code();
  };
  CHECK(in_real_time(body()) == asio::error::eof);
}

TEST_CASE("cancelling a task that awaits an operation of asio ends the operation") {
  auto reads = []() -> coro<> {
    auto ends = connected();
    std::array<char, 1> buffer{};
    co_await asio::async_read(ends.second, asio::buffer(buffer), use_troupe);
  };
  auto body = [&]() -> coro<std::string> {
    const auto reading = create_task(reads());
    co_await rounds(3);
    reading.cancel();
    co_return co_await ending(reading);
  };
  CHECK(in_real_time(body()) == "cancelled");
}

TEST_CASE("an operation of asio does not begin in a task that is cancelled already") {
  auto waits = []() -> coro<> {
    task_base::current()->cancel();
    asio::steady_timer timer(asio_context(), 1h);
    co_await timer.async_wait(use_troupe);
  };
  auto body = [&]() -> coro<std::string> {
    const auto waiting = create_task(waits());
    co_return co_await ending(waiting);
  };
  CHECK(in_real_time(body()) == "cancelled");
}

TEST_CASE(
    "an operation of asio that succeeds all the same gives its result, and the next await throws") {
  auto posts = [](std::string& log) -> coro<> {
    co_await asio::post(asio_context(), use_troupe);
    log += "posted";
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      log += ", then cancelled";
    }
  };
  auto body = [&]() -> coro<std::string> {
    std::string log;
    const auto posting = create_task(posts(log));
    co_await sleep(0s);  // it has begun, and is not over
    posting.cancel();
    co_await posting;
    co_return log;
  };
  CHECK(in_real_time(body()) == "posted, then cancelled");
}

TEST_CASE("a loop that closes ends operations of asio that a task still awaits") {
  int alive = 0;
  auto refuses = [](counted, loop& home) -> coro<> {
    asio::steady_timer timer(asio_context(), 1h);
    static_cast<void>(home);
    for (;;) {
      try {
        co_await timer.async_wait(use_troupe);
      } catch (...) {
      }
    }
  };
  failure_log log;
  {
    auto home = loop::open({.on_failure = log.handler()});
    create_task(*home, refuses(counted(alive), *home));
    home->call_later(1ms, [&home] { home->stop(); });
    home->run_forever();
  }
  CHECK(alive == 0);
  CHECK(log.count("destroyed while still pending") == 1);
}

TEST_CASE(
    "an operation of asio that cannot begin throws, and leaves a task that can be cancelled") {
  int alive = 0;
  auto body = [&]() -> coro<std::string> {
    auto begin = [held = counted(alive)](auto&&) { throw std::runtime_error("no device"); };
    auto operation = asio::async_initiate<const use_troupe_token, void(asio::error_code)>(
        std::move(begin), use_troupe);
    std::string seen;
    try {
      co_await operation;
    } catch (const std::runtime_error& error) {
      seen = error.what();
    }
    current_task().cancel("later");
    try {
      co_await sleep(1h);
    } catch (const cancelled& error) {
      seen += ", " + error.reason;
      current_task().uncancel();
    }
    co_return seen;
  };
  CHECK(in_real_time(body()) == "no device, later");
  CHECK(alive == 0);
}
