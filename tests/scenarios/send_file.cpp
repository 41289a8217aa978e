// Files into streams: by the system where it can, by hand elsewhere.
#include <troupe/io/file_system.hpp>
#include <troupe/io/memory.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/send_file.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/support.hpp"

#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A connection, and a file with that content.
struct scenery {
  io::stream ours;
  io::stream theirs;
  io::temporary name;
  io::file content;
};

coro<scenery> make_scenery(std::string content, bool narrow = false) {
  io::listening_socket listening(io::endpoint::loopback(0));
  const io::endpoint there = listening.local();
  const io::descriptor waiting = listening.release();
  io::stream ours = co_await io::open_connection(there);
  io::descriptor accepted;
  while (!accepted) {
    accepted =
        io::descriptor(::accept4(waiting.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }
  if (narrow) {
    set_buffer(ours.native(), SO_SNDBUF, 16 << 10);
    set_buffer(accepted.get(), SO_RCVBUF, 16 << 10);
  }
  io::stream theirs = io::make_stream(io::socket(std::move(accepted), there));
  io::temporary name = co_await io::temporary_file();
  co_await io::write_file(name.path(), content);
  io::file opened = co_await io::open_file(name.path());
  co_return scenery{std::move(ours), std::move(theirs), std::move(name), std::move(opened)};
}

coro<std::string> all_of(io::stream& from) {
  const io::bytes all = co_await from.read_all();
  co_return std::string(all.text());
}

coro<std::error_code> error_of(task<std::uint64_t> sending) {
  try {
    co_await sending;
  } catch (const std::system_error& error) {
    co_return error.code();
  }
  co_return std::error_code();
}

}  // namespace

TEST_CASE("a file is sent behind what was written before and before what is written afterwards") {
  auto body = []() -> coro<> {
    const std::string content = pattern(9'000'000);
    scenery on = co_await make_scenery(content, true);
    auto reading = create_task(all_of(on.theirs));
    const std::string before = pattern(200'000, 7);
    on.ours.write(before);
    on.content.seek(5);
    const std::uint64_t sent = co_await io::send_file(on.ours, on.content);
    CHECK(sent == content.size());
    CHECK(on.content.tell() == 5);
    on.ours.write("behind");
    on.ours.write_eof();
    const std::string got = co_await reading;
    CHECK(same(got, before + content + "behind"));
  };
  run_scenario(body());
}

TEST_CASE("a part of a file is sent, and no more than there is") {
  auto body = []() -> coro<> {
    scenery on = co_await make_scenery("0123456789");
    auto reading = create_task(all_of(on.theirs));
    std::uint64_t sent = co_await io::send_file(on.ours, on.content, 2, 3);
    CHECK(sent == 3);
    sent = co_await io::send_file(on.ours, on.content, 8, 100);
    CHECK(sent == 2);
    sent = co_await io::send_file(on.ours, on.content, 100);
    CHECK(sent == 0);
    sent = co_await io::send_file(on.ours, on.content, 0, 0);
    CHECK(sent == 0);
    on.ours.close();
    const std::string got = co_await reading;
    CHECK(got == "23489");
  };
  run_scenario(body());
}

TEST_CASE(
    "a file is sent into a stream that the system cannot copy into, and from one it cannot copy "
    "from") {
  auto body = []() -> coro<> {
    const std::string content = pattern(300'000);
    scenery on = co_await make_scenery(content);
    auto ends = io::memory_pair(1000);
    auto reading = create_task(all_of(ends.second));
    std::uint64_t sent = co_await io::send_file(ends.first, on.content);
    CHECK(sent == content.size());
    ends.first.close();
    const std::string got = co_await reading;
    CHECK(same(got, content));
    auto other = create_task(all_of(on.theirs));
    io::file own = co_await io::open_file("/proc/self/status");
    sent = co_await io::send_file(on.ours, own);
    on.ours.close();
    const std::string status = co_await other;
    CHECK(status.size() == sent);
    CHECK(status.find("VmRSS") != std::string::npos);
  };
  run_scenario(body());
}

TEST_CASE("what others write while a file is sent never comes within it, nor does another file") {
  auto body = []() -> coro<> {
    const std::string content = pattern(2'000'000);
    scenery on = co_await make_scenery(content, true);
    auto first = create_task(io::send_file(on.ours, on.content));
    auto second = create_task(io::send_file(on.ours, on.content));
    const io::bytes begin = co_await on.theirs.read_exactly(1'000'000);
    on.ours.write("<between>");
    on.ours.write("<and>", "<more>");
    on.ours.write_eof();
    auto reading = create_task(all_of(on.theirs));
    const std::uint64_t sent = co_await first;
    CHECK(sent == content.size());
    bool refused = false;
    try {
      co_await second;  // its turn came behind the end
    } catch (const invalid_state&) {
      refused = true;
    }
    CHECK(refused);
    const std::string rest = co_await reading;
    CHECK(same(std::string(begin.text()) + rest, content + "<between><and><more>"));
  };
  run_scenario(body());
}

TEST_CASE("files that are sent at the same time go one after the other") {
  auto body = []() -> coro<> {
    const std::string content = pattern(700'000);
    scenery on = co_await make_scenery(content, true);
    auto reading = create_task(all_of(on.theirs));
    std::vector<task<std::uint64_t>> sending;
    std::string expected;
    for (int turn = 0; turn < 5; ++turn) {
      sending.push_back(create_task(io::send_file(on.ours, on.content)));
      expected += content;
    }
    for (auto& each : sending) co_await each;
    on.ours.close();
    const std::string got = co_await reading;
    CHECK(same(got, expected));
  };
  run_scenario(body());
}

TEST_CASE(
    "a sending that is cancelled at any moment leaves no thread in the stream, and no descriptor") {
  auto body = []() -> coro<> {
    const std::string content = pattern(400'000);
    for (int turn = 0; turn < 40; ++turn) {
      scenery on = co_await make_scenery(content, turn % 2 == 0);
      auto reading = create_task(all_of(on.theirs));
      if (turn % 4 > 1) on.ours.write(pattern(100'000));
      auto sending = create_task(io::send_file(on.ours, on.content));
      for (int rounds = turn % 8; rounds > 0; --rounds) co_await sleep(30us);
      sending.cancel();
      bool ended = false;
      try {
        co_await sending;
        ended = true;
      } catch (const cancelled&) {
      }
      // What is written now comes behind whatever has been sent of it, in one piece.
      on.ours.write("the end of it");
      on.ours.write_eof();
      const std::string got = co_await reading;
      const std::string whole = (turn % 4 > 1 ? pattern(100'000) : std::string()) + content;
      CHECK(got.ends_with("the end of it"));
      const std::size_t sent = got.size() - std::string_view("the end of it").size();
      CHECK(sent <= whole.size());
      CHECK(same(std::string_view(got).substr(0, sent), std::string_view(whole).substr(0, sent)));
      if (ended) CHECK(sent == whole.size());
    }
  };
  run_scenario(body());
}

TEST_CASE("a peer that goes, a close and an abort end the sending of a file, each with an error") {
  auto body = []() -> coro<> {
    const std::string content = pattern(4'000'000);
    for (int turn = 0; turn < 12; ++turn) {
      scenery on = co_await make_scenery(content, true);
      auto sending = create_task(io::send_file(on.ours, on.content));
      co_await on.theirs.read_exactly(10'000);
      if (turn % 3 == 0) on.theirs.abort();
      if (turn % 3 == 1) on.ours.close();
      if (turn % 3 == 2) on.ours.abort();
      const std::error_code error = co_await error_of(sending);
      CHECK((error == std::errc::connection_reset || error == std::errc::broken_pipe));
      const std::error_code next =
          co_await error_of(create_task(io::send_file(on.ours, on.content)));
      CHECK((next == std::errc::connection_reset || next == std::errc::broken_pipe));
    }
  };
  run_scenario(body());
}

TEST_CASE("a file that becomes shorter while it is sent ends the sending early") {
  auto body = []() -> coro<> {
    scenery on = co_await make_scenery(pattern(8'000'000), true);
    auto sending = create_task(io::send_file(on.ours, on.content));
    co_await on.theirs.read_exactly(10'000);
    io::file cut = co_await io::open_file(on.name.path(), io::to_change);
    co_await cut.truncate(20'000);
    auto reading = create_task(all_of(on.theirs));
    const std::uint64_t sent = co_await sending;
    CHECK(sent < 8'000'000);
    on.ours.close();
    const std::string rest = co_await reading;
    CHECK(rest.size() + 10'000 == sent);
  };
  run_scenario(body());
}

TEST_CASE("a runtime that ends while a file is sent ends") {
  auto body = []() -> coro<> {
    auto on = std::make_unique<scenery>(co_await make_scenery(pattern(4'000'000), true));
    auto& used = *on;
    auto hold = [](std::unique_ptr<scenery> all) -> coro<> {
      co_await io::send_file(all->ours, all->content);
    };
    auto sending = create_task(hold(std::move(on)));
    co_await used.theirs.read_exactly(10'000);
  };
  run_scenario(body());
}
