// Several addresses and one connection: the attempts are scripted, on virtual time.
#include <troupe/io/internal/racing.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/runtime/timeout.hpp>

#include "runtime/brute_force.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::io;
using namespace std::chrono_literals;

namespace {

/// What an attempt does: after so long it is connected, or fails, or never ends.
struct line {
  duration after = 0ms;
  std::errc error{};     ///< none: connected
  bool unusual = false;  ///< fails with what is no error of the system's
};

struct play {
  std::vector<line> script;
  std::vector<std::string> log = {};  ///< "0ms begins 1", and so on; the candidate is its port
  time_point began{};
  int open = 0;  ///< connections there are
  int running = 0;
  int most_running = 0;

  void note(const std::string& what, int who) {
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(loop::current()->time() - began);
    log.push_back(std::to_string(now.count()) + " " + what + " " + std::to_string(who));
  }
};

/// A connection, which counts itself.
class connection {
 public:
  connection(play& of, int who) : of_(&of), who_(who) { ++of.open; }
  connection(connection&& other) noexcept
      : of_(std::exchange(other.of_, nullptr)), who_(other.who_) {}
  connection& operator=(connection&&) = delete;
  ~connection() {
    if (of_ != nullptr) --of_->open;
  }
  int who() const noexcept { return who_; }

 private:
  play* of_;
  int who_;
};

/// One that is being attempted, which counts itself as well.
class under_way {
 public:
  under_way(play& of, int who) : of_(of), who_(who) {
    of.note("begins", who);
    of.most_running = std::max(of.most_running, ++of.running);
  }
  ~under_way() { --of_.running; }
  under_way(const under_way&) = delete;
  under_way& operator=(const under_way&) = delete;
  void ends(const char* how) { of_.note(how, who_); }

 private:
  play& of_;
  int who_;
};

coro<connection> attempt(play& on, endpoint to) {
  const int who = to.port();
  under_way self(on, who);
  const line mine = on.script.at(static_cast<std::size_t>(who));
  try {
    co_await sleep(mine.after);
  } catch (const cancelled&) {
    self.ends("gives up");
    throw;
  }
  if (mine.unusual) throw std::logic_error("unusual");
  if (mine.error != std::errc()) {
    self.ends("fails");
    throw std::system_error(std::make_error_code(mine.error), "connecting to " + to.text());
  }
  self.ends("connects");
  co_return connection(on, who);
}

std::vector<endpoint> candidates(std::size_t count) {
  std::vector<endpoint> all;
  for (std::size_t index = 0; index < count; ++index)
    all.push_back(endpoint::loopback(static_cast<std::uint16_t>(index)));
  return all;
}

coro<connection> race(play& on, io::internal::race_options options) {
  on.began = loop::current()->time();
  return io::internal::first_connected<connection>(
      "connecting to 'example', port 1,", candidates(on.script.size()),
      [&on](const endpoint& to) { return attempt(on, to); }, options);
}

/// Who won, or -1 and the error.
struct ending {
  int winner = -1;
  std::error_code error;
  std::string text;
};

coro<ending> outcome(play& on, io::internal::race_options options) {
  ending result;
  try {
    auto racing = race(on, options);
    const connection won = co_await racing;
    result.winner = won.who();
  } catch (const std::system_error& error) {
    result.error = error.code();
    result.text = error.what();
  } catch (const std::logic_error& error) {
    result.text = error.what();
  }
  CHECK(on.running == 0);
  co_return result;
}

ending play_it(play& on, io::internal::race_options options = {}) {
  const ending result = testing::run(outcome(on, options));
  CHECK(on.open == 0);
  return result;
}

using steps = std::vector<std::string>;
constexpr auto refused = std::errc::connection_refused;

}  // namespace

TEST_CASE("a first address that connects at once is the only one tried") {
  play on{.script = {{10ms}, {0ms}}};
  CHECK(play_it(on).winner == 0);
  CHECK(on.log == steps{"0 begins 0", "10 connects 0"});
}

TEST_CASE("an address that fails makes the next be tried at once") {
  play on{.script = {{10ms, refused}, {5ms, refused}, {1ms}}};
  CHECK(play_it(on).winner == 2);
  CHECK(on.log == steps{"0 begins 0", "10 fails 0", "10 begins 1", "15 fails 1", "15 begins 2",
                        "16 connects 2"});
}

TEST_CASE("an address that is silent is left alone after its delay, and loses to the next") {
  play on{.script = {{1h}, {30ms}, {0ms}}};
  CHECK(play_it(on).winner == 1);
  CHECK(on.log == steps{"0 begins 0", "250 begins 1", "280 connects 1", "280 gives up 0"});
}

TEST_CASE("a slow address may still win after others were tried beside it") {
  play on{.script = {{600ms}, {1h}, {1h}}};
  CHECK(play_it(on).winner == 0);
  CHECK(on.log == steps{"0 begins 0", "250 begins 1", "500 begins 2", "600 connects 0",
                        "600 gives up 1", "600 gives up 2"});
}

TEST_CASE("an earlier address that fails while a later one goes on makes the next be tried") {
  play on{.script = {{300ms, refused}, {1h}, {10ms}}};
  CHECK(play_it(on).winner == 2);
  CHECK(on.log.at(2) == "300 fails 0");
  CHECK(on.log.at(3) == "300 begins 2");
}

TEST_CASE("of two that connect in the same moment one is given and the other closed") {
  play on{.script = {{350ms}, {100ms}}};
  const int winner = play_it(on).winner;
  CHECK((winner == 0 || winner == 1));
}

TEST_CASE("the last address has all the time it needs") {
  play on{.script = {{1ms, refused}, {2h}}};
  CHECK(play_it(on).winner == 1);
}

TEST_CASE("the delay before the next address is the caller's") {
  play on{.script = {{1h}, {0ms}}};
  CHECK(play_it(on, {.delay = 2s}).winner == 1);
  CHECK(on.log.at(1) == "2000 begins 1");
}

TEST_CASE("with a delay of nothing all addresses are tried at once") {
  play on{.script = {{30ms}, {20ms}, {10ms}}};
  CHECK(play_it(on, {.delay = 0ms}).winner == 2);
  CHECK(on.most_running == 3);
}

TEST_CASE("when every address fails the error is the first one's and names each") {
  play on{.script = {{300ms, std::errc::timed_out},
                     {1ms, refused},
                     {1ms, std::errc::network_unreachable}}};
  const ending result = play_it(on);
  CHECK(result.error == std::errc::timed_out);
  CHECK(result.text ==
        "connecting to 'example', port 1, by each of its addresses (127.0.0.1:0: Connection timed "
        "out; "
        "127.0.0.1:1: Connection refused; 127.0.0.1:2: Network is unreachable): Connection timed "
        "out");
}

TEST_CASE("when the only address fails its own error comes out") {
  play on{.script = {{1ms, refused}}};
  const ending result = play_it(on);
  CHECK(result.text == "connecting to 127.0.0.1:0: Connection refused");
}

TEST_CASE(
    "an attempt that fails in a way of its own is not taken for an address that does not answer") {
  play on{.script = {{1ms, refused}, {1ms, {}, true}}};
  CHECK(play_it(on).text == "unusual");
  play won{.script = {{1ms, {}, true}, {1ms}}};
  CHECK(play_it(won).winner == 1);
}

TEST_CASE("only so many addresses are tried at once, and the next when one has failed") {
  play on{.script = std::vector<line>(40, {10s, refused})};
  CHECK(play_it(on, {.at_once = 5}).error == refused);
  CHECK(on.most_running == 5);
  CHECK(on.log.size() == 80);
}

TEST_CASE("a time limit around the attempts ends all of them") {
  struct scene {
    static coro<> run(play& on) {
      auto racing = race(on, {});
      CHECK_THROWS_AS(co_await timeout(400ms, std::move(racing)), timeout_error);
      CHECK(on.running == 0);
    }
  };
  play on{.script = {{1h}, {1h}, {1h}}};
  testing::run(scene::run(on));
  REQUIRE(on.log.size() == 4);
  CHECK(on.log[2].starts_with("400 gives up"));
  CHECK(on.log[3].starts_with("400 gives up"));
}

TEST_CASE("families take turns, beginning with that of the first address") {
  const endpoint a("::1", 1), b("::2", 2), c("::3", 3), d("10.0.0.1", 4), e("10.0.0.2", 5);
  using list = std::vector<endpoint>;
  CHECK(io::internal::families_in_turn({a, b, c, d, e}) == list{a, d, b, e, c});
  CHECK(io::internal::families_in_turn({d, a, b, c}) == list{d, a, b, c});
  CHECK(io::internal::families_in_turn({e, d}) == list{e, d});
  CHECK(io::internal::families_in_turn({a}) == list{a});
}

namespace {

struct stage {
  play on{.script = {{300ms, refused}, {400ms}, {1h}, {100ms}}};
};

coro<> connect_somehow(stage& with) {
  auto racing = race(with.on, {});
  const connection won = co_await racing;
  CHECK(won.who() >= 0);
}

}  // namespace

TEST_CASE("attempts at several addresses may be stopped at any place") {
  const auto verify = [](stage& with) {
    CHECK(with.on.open == 0);
    CHECK(with.on.running == 0);
  };
  testing::brute_force_options options;
  testing::for_each_cancellation<stage>(connect_somehow, verify, options);
  options.for_good = true;
  testing::for_each_cancellation<stage>(connect_somehow, verify, options);
  options.for_good = false;
  options.twice = true;
  testing::for_each_cancellation<stage>(connect_somehow, verify, options);
  testing::for_each_abandonment<stage>(connect_somehow, verify, options);
}
