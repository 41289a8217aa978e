// What goes wrong on the simulated network, by command and by choice, and the bugs that come to light by it.
#include <troupe/io/connect.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/testing/support.hpp"

#include <functional>
#include <map>
#include <optional>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::networks;

namespace {

const io::endpoint there("127.0.0.2", 7);

coro<bool> answers_in(duration limit, io::stream& over, std::string question) {
  try {
    co_await timeout(limit, ask(over, std::move(question)));
    co_return true;
  } catch (const timeout_error&) {
    co_return false;
  }
}

}  // namespace

TEST_CASE("over a partition a request times out, and after it all goes on") {
  for (const duration latency : {duration(0ms), duration(5ms)}) {
    naturally(
        [](network& net) -> coro<> {
          io::server serving = io::start_server(echo, there);
          io::stream client = co_await io::open_connection(there);
          bool answered = co_await answers_in(5s, client, "one");
          CHECK(answered);
          net.partition("127.0.0.1", "127.0.0.2");
          answered = co_await answers_in(5s, client, "two");
          CHECK_FALSE(answered);
          net.heal();
          std::string late = co_await client.read_line();
          CHECK(late == "two\n");
          answered = co_await answers_in(5s, client, "three");
          CHECK(answered);
        },
        {.link = {.latency = latency}});
  }
}

TEST_CASE(
    "over a partition nobody connects: it takes as long as the system has patience, or as the "
    "partition lasts") {
  naturally([](network& net) -> coro<> {
    io::server serving = io::start_server(echo, there);
    net.isolate("127.0.0.2");
    const time_point before = loop::current()->time();
    auto connecting = io::connect(there);
    const std::error_code error = co_await error_of(std::move(connecting));
    CHECK(error == std::errc::timed_out);
    CHECK(loop::current()->time() - before == 127s);
    auto later = create_task(io::connect(there));
    co_await sleep(10s);
    CHECK_FALSE(later.done());
    net.heal();
    co_await later;
    CHECK(loop::current()->time() - before == 137s);
  });
}

TEST_CASE("a peer of whom nothing is heard for a quarter of an hour is given up") {
  naturally([](network& net) -> coro<> {
    io::server serving = io::start_server(echo, there);
    io::stream client = co_await io::open_connection(there);
    net.partition("127.0.0.1", "127.0.0.2");
    auto asking = ask(client, "anybody?");
    const std::error_code error = co_await error_of(std::move(asking));
    CHECK(error == std::errc::timed_out);
    CHECK(loop::current()->time().time_since_epoch() == 15min);
  });
}

TEST_CASE("what was under way when the partition began is waited for as long") {
  naturally(
      [](network& net) -> coro<> {
        io::server serving = io::start_server(echo, there);
        io::stream client = co_await io::open_connection(there);
        auto asking = create_task(ask(client, "anybody?"));
        co_await sleep(10ms);
        net.partition("127.0.0.1", "127.0.0.2");
        std::error_code error;
        try {
          co_await asking;
        } catch (const std::system_error& lost) {
          error = lost.code();
        }
        CHECK(error == std::errc::timed_out);
        auto again = io::connect(there);
        net.heal();
        co_await std::move(again);
      },
      {.link = {.latency = 20ms}});
}

TEST_CASE("a partition keeps back what a slow reader has said of his room") {
  naturally([](network& net) -> coro<> {
    std::optional<io::stream> accepted;
    io::server serving =
        io::start_server([&](io::stream client) { accepted.emplace(std::move(client)); }, there);
    io::stream client = co_await io::open_connection(there);
    const std::string much(500'000, 'x');
    client.write(much);
    co_await sleep(1s);
    net.partition("127.0.0.1", "127.0.0.2");
    const std::size_t unsent = client.unsent();
    const io::bytes some = co_await accepted->read_exactly(60'000);
    co_await sleep(1s);
    CHECK(client.unsent() == unsent);
    net.heal();
    const io::bytes rest = co_await accepted->read_exactly(much.size() - some.size());
    CHECK(client.unsent() == 0);
  });
}

TEST_CASE("a reset in the midst of a stream is a loss at both ends, after what had come") {
  naturally([](network& net) -> coro<> {
    std::error_code server_saw;
    io::server serving = io::start_server(
        [&](io::stream client) -> coro<> {
          client.write("half a line");
          auto reading = ask(client, "");
          server_saw = co_await error_of(std::move(reading));
        },
        there);
    io::stream client = co_await io::open_connection(there);
    const io::bytes half = co_await client.read_exactly(4);
    CHECK(half.text() == "half");
    net.reset("127.0.0.1", "127.0.0.2");
    auto reading = ask(client, "");
    const std::error_code error = co_await error_of(std::move(reading));
    CHECK(error == std::errc::connection_reset);
    co_await sleep(1s);
    CHECK(server_saw == std::errc::connection_reset);
    CHECK(net.traffic().resets == 1);
    io::stream again = co_await io::open_connection(there);  // only those that there were
  });
}

TEST_CASE("a program that crashes resets its peers, and refuses them until it is started again") {
  naturally([](network& net) -> coro<> {
    io::server serving = io::start_server(echo, there);
    io::stream client = co_await io::open_connection(there);
    co_await ask(client, "hello");
    net.crash("127.0.0.2");
    auto asking = ask(client, "hello");
    std::error_code error = co_await error_of(std::move(asking));
    CHECK(error == std::errc::connection_reset);
    auto connecting = io::connect(there);
    error = co_await error_of(std::move(connecting));
    CHECK(error == std::errc::connection_refused);
    net.restart("127.0.0.2");
    io::stream again = co_await io::open_connection(there);
    const std::string heard = co_await ask(again, "hello");
    CHECK(heard == "hello\n");
  });
}

// --- bugs -------------------------------------------------------------------------------------------------------------

namespace {

/// Numbers as frames: four digits of length, then the digits. The planted bug takes what one read gives for one frame.
coro<> adds_frames(io::stream client, bool mended, int& sum) {
  for (;;) {
    std::string frame;
    if (mended) {
      const io::bytes head = co_await client.read_some(1);
      if (head.empty()) co_return;
      const io::bytes more = co_await client.read_exactly(3);
      const std::string size = std::string(head.text()) + std::string(more.text());
      const io::bytes body = co_await client.read_exactly(std::stoul(size));
      frame = body.text();
    } else {
      const io::bytes some = co_await client.read_some();
      if (some.empty()) co_return;
      frame = some.text().substr(std::min<std::size_t>(4, some.size()));
    }
    sum += frame.empty() ? 0 : std::stoi(frame);
    client.write("ok\n");
  }
}

coro<> frames(bool mended) {
  int sum = 0;
  io::server serving = io::start_server(
      [&sum, mended](io::stream client) { return adds_frames(std::move(client), mended, sum); },
      there);
  io::stream client = co_await io::open_connection(there);
  for (const std::string_view each : {"0003100", "0003250", "00017"}) {
    client.write(each);
    const std::string answer = co_await client.read_line();
    expect(answer == "ok\n", "no answer");
  }
  client.close();
  serving.close();
  co_await serving.wait_closed();
  expect(sum == 357, "the sum is " + std::to_string(sum));
}

}  // namespace

TEST_CASE("a protocol that takes each read for a frame is found out by short reads") {
  const auto scenario = [](bool mended, bool whole) {
    return [=](simulation& world) -> coro<> {
      network net(world, {.short_transfers = !whole});
      co_await frames(mended);
    };
  };
  CHECK(finds({.schedules = 500}, "the sum is", scenario(false, false)));
  explore({.schedules = 500}, scenario(false, true));
  explore({.schedules = 500}, scenario(true, false));
}

namespace {

/// A client that tries again when its connection is lost, with what it has not got an answer to.
coro<std::string> persistent(std::string question) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    try {
      io::stream server = co_await io::open_connection(there);
      const std::string answer = co_await timeout(3s, ask(server, question));
      if (answer.ends_with('\n')) co_return answer;
    } catch (const std::system_error&) {
    } catch (const timeout_error&) {
    }
    co_await sleep(100ms);
  }
  throw std::runtime_error("the server could not be reached");
}

/// Counts what it is told; the planted bug counts twice what is told twice, because its answer was lost.
coro<> counts(bool mended, int& count) {
  std::map<std::string, int> known;
  io::server serving = io::start_server(
      [&](io::stream client) -> coro<> {
        while (auto line = co_await client.next_line()) {
          const auto found = known.find(std::string(*line));
          if (!mended || found == known.end()) known[std::string(*line)] = ++count;
          client.write(std::to_string(known[std::string(*line)]), "\n");
        }
      },
      there);
  for (const char* const each : {"add 1", "add 2", "add 3"}) co_await persistent(each);
  co_await serving.shutdown(30s);
}

}  // namespace

TEST_CASE("a retry that is not idempotent is found out by connections that are lost by choice") {
  const auto scenario = [](bool mended) {
    return [=](simulation& world) -> coro<> {
      network net(world, {.faults = 2});
      int count = 0;
      co_await counts(mended, count);
      expect(count == 3, "three were told, and counted were " + std::to_string(count));
    };
  };
  CHECK(finds({.schedules = 2'000}, "counted were", scenario(false), "'add 3\\n'"));
  explore({.schedules = 400}, scenario(true));
}

TEST_CASE("a server that closes while somebody connects resets them, whichever comes first") {
  for (const duration latency : {duration(0ms), duration(1ms)}) {
    explore({.schedules = 300}, [latency](simulation& world) -> coro<> {
      network net(world, {.link = {.latency = latency}});
      io::server serving = io::start_server(echo, there);
      auto connects = []() -> coro<> {
        try {
          io::stream client = co_await io::open_connection(there);
          client.close();
          co_await client.wait_closed();
        } catch (const std::system_error&) {
        }
      };
      auto first = create_task(connects());
      auto second = create_task(connects());
      co_await sleep(world.choose(2) == 0 ? duration(0ms) : latency);
      serving.close();
      co_await first;
      co_await second;
    });
  }
}
