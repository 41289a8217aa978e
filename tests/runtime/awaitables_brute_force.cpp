// Every awaitable that has no brute-force test of its own beside its other tests, stopped at every place.
#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <troupe/runtime/as_completed.hpp>
#include <troupe/runtime/asio.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/to_thread.hpp>
#include <troupe/runtime/wait.hpp>
#include <troupe/runtime/wait_for.hpp>

#include <asio/buffer.hpp>
#include <asio/experimental/channel.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

using numbers = asio::experimental::channel<void(asio::error_code, int)>;

struct stage {
  std::optional<numbers> between;  ///< outlives the operations that frames wait for
  int alive = 0;                   ///< frames and results that live
  int begun = 0;
  int ended = 0;
  bool wrong = false;
};

using scenario = coro<> (*)(stage&);

void verify(stage& with) {
  CHECK(with.alive == 0);
  CHECK_FALSE(with.wrong);
}

void stop_everywhere(scenario played, brute_force_options options = {}) {
  for_each_cancellation<stage>(played, verify, options);
  options.for_good = true;
  for_each_cancellation<stage>(played, verify, options);
  options.for_good = false;
  options.twice = true;
  for_each_cancellation<stage>(played, verify, options);
  for_each_abandonment<stage>(played, [](stage& with) { CHECK(with.alive == 0); }, options);
}

coro<counted> make(stage& with, duration time) {
  const counted frame(with.alive);
  co_await sleep(time);
  co_return counted(with.alive);
}

coro<> keep(stage& with, promise<counted> given) {
  co_await sleep(1ms);
  given.try_set_value(with.alive);
}

// --- futures and what combines them -----------------------------------------------------------------------------------

coro<> a_promise(stage& with) {
  promise<counted> given;
  auto kept = given.get_future();
  auto keeper = create_task(keep(with, std::move(given)));
  static_cast<void>(co_await kept);
  static_cast<void>(co_await std::move(kept));
  co_await keeper;
}

coro<> a_gather_of_all_kinds(stage& with) {
  promise<counted> given;
  auto kept = given.get_future();
  auto task_of_it = create_task(make(with, 2ms));
  create_task(keep(with, std::move(given)));
  auto all = gather(make(with, 1ms), task_of_it, kept, sleep(1ms));
  static_cast<void>(co_await all);
  std::vector<coro<counted>> more;
  for (int index = 0; index < 3; ++index) more.push_back(make(with, 1ms * index));
  auto settled = gather(return_exceptions, std::move(more));
  static_cast<void>(co_await settled);
}

coro<> waits(stage& with) {
  std::vector<task<counted>> all;
  for (int index = 0; index < 4; ++index) all.push_back(create_task(make(with, 1ms * index)));
  for (const auto mode : {return_when::first_completed, return_when::first_exception}) {
    auto some = co_await wait(all, {.return_when = mode});
    with.wrong |= some.done.empty();
  }
  auto short_wait = co_await wait(all, {.timeout = 0s});
  with.wrong |= short_wait.done.size() + short_wait.pending.size() != all.size();
  auto rest = co_await wait(all, {.timeout = 10ms});
  with.wrong |= !rest.pending.empty();
}

coro<> as_they_complete(stage& with) {
  std::vector<coro<counted>> bodies;
  for (int index = 3; index > 0; --index) bodies.push_back(make(with, 1ms * index));
  auto each = as_completed(std::move(bodies), 1s);
  while (auto done = co_await each.next()) with.wrong |= !done->done();
  std::vector<coro<counted>> more;
  for (int index = 3; index > 0; --index) more.push_back(make(with, 1ms * index));
  for (auto next : as_completed(std::move(more))) static_cast<void>(co_await next);
}

coro<> shields_and_limits(stage& with) {
  auto limited = wait_for(make(with, 2ms), 1s);
  static_cast<void>(co_await limited);
  auto kept_going = shield(make(with, 2ms));
  static_cast<void>(co_await kept_going);
}

// --- threads ----------------------------------------------------------------------------------------------------------

/// On virtual time the calls are made on the loop, in its next round.
coro<> calls_on_threads(stage& with) {
  for (int turn = 0; turn < 3; ++turn) {
    auto call = to_thread([&with, held = counted(with.alive)] {
      ++with.begun;
      return counted(with.alive);
    });
    static_cast<void>(co_await call);
    with.wrong |= with.begun != turn + 1;
  }
}

// --- other loops ------------------------------------------------------------------------------------------------------

coro<counted> there(stage& with) {
  const counted frame(with.alive);
  with.wrong |= loop::current() != &other_loop();
  co_await sleep(1ms);
  with.wrong |= loop::current() != &other_loop();
  co_return counted(with.alive);
}

coro<> moves_between_loops(stage& with) {
  const counted frame(with.alive);
  loop& home = *loop::current();
  co_await on(other_loop());
  with.wrong |= loop::current() != &other_loop();
  co_await sleep(1ms);
  co_await on(home);
  with.wrong |= loop::current() != &home;
  auto visit = on(other_loop(), there(with));
  static_cast<void>(co_await visit);
  with.wrong |= loop::current() != &home;
}

coro<> visits_that_return(stage& with) {
  loop& home = *loop::current();
  for (int turn = 0; turn < 2; ++turn) {
    try {
      auto visit = on(other_loop(), there(with));
      static_cast<void>(co_await visit);
    } catch (const cancelled&) {
      // However it ends, it ends here.
      with.wrong |= loop::current() != &home;
      throw;
    }
    with.wrong |= loop::current() != &home;
  }
}

coro<> awaits_a_traveller(stage& with) {
  auto traveller = create_task(moves_between_loops(with));
  co_await traveller;
}

// --- asio -------------------------------------------------------------------------------------------------------------

coro<> posts_of_asio(stage&) {
  for (int turn = 0; turn < 3; ++turn) co_await asio::post(asio_context(), use_troupe);
}

coro<> send_all(stage& with) {
  const counted frame(with.alive);
  for (int number = 0; number < 3; ++number)
    co_await with.between->async_send(asio::error_code(), number, use_troupe);
}

coro<> channels_of_asio(stage& with) {
  const counted frame(with.alive);
  with.between.emplace(asio_context(), 0);
  auto sender = create_task(send_all(with));
  try {
    for (int number = 0; number < 3; ++number) {
      const int got = co_await with.between->async_receive(use_troupe);
      with.wrong |= got != number;
    }
  } catch (const cancelled&) {
    sender.cancel();
    throw;
  }
  co_await sender;
}

coro<> sockets_of_asio(stage& with) {
  const counted frame(with.alive);
  asio::local::stream_protocol::socket near(asio_context());
  asio::local::stream_protocol::socket far(asio_context());
  asio::local::connect_pair(near, far);
  for (int turn = 0; turn < 2; ++turn) {
    const std::string sent = "hello";
    co_await asio::async_write(near, asio::buffer(sent), use_troupe);
    std::array<char, 5> received{};
    co_await asio::async_read(far, asio::buffer(received), use_troupe);
    with.wrong |= std::string(received.data(), received.size()) != sent;
  }
}

}  // namespace

TEST_CASE("waits for futures may be stopped everywhere") {
  stop_everywhere(&a_promise);
  stop_everywhere(&a_gather_of_all_kinds);
}

TEST_CASE("wait may be stopped everywhere") { stop_everywhere(&waits); }

TEST_CASE("as_completed may be stopped everywhere") { stop_everywhere(&as_they_complete); }

TEST_CASE("shield and wait_for may be stopped everywhere") { stop_everywhere(&shields_and_limits); }

TEST_CASE("to_thread may be stopped everywhere") { stop_everywhere(&calls_on_threads); }

TEST_CASE("moves between loops may be stopped everywhere") {
  // What one loop has just sent the other is neither ready nor timed.
  const brute_force_options both = {.two_loops = true, .patience = 5};
  stop_everywhere(&moves_between_loops, both);
  stop_everywhere(&visits_that_return, both);
  stop_everywhere(&awaits_a_traveller, both);
}

TEST_CASE("operations of asio may be stopped everywhere") {
  const brute_force_options patient = {.patience = 5};  // the loop knows nothing of asio's work
  stop_everywhere(&posts_of_asio, patient);
  stop_everywhere(&channels_of_asio, patient);
  stop_everywhere(&sockets_of_asio, patient);
}
