// How what is done with files ends: cancelled, with its loop, or without descriptors.
#include <troupe/io/file.hpp>
#include <troupe/io/file_system.hpp>
#include <troupe/io/internal/file_job.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/descriptors.hpp"
#include "scenarios/files.hpp"
#include "scenarios/support.hpp"

#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a read that is cancelled at any moment has taken nothing, and the next gets all") {
  run_with_files([](std::string place) -> coro<> {
    const std::string content = pattern(300'000);
    co_await io::write_file(place + "/a", content);
    io::file from = co_await io::open_file(place + "/a");
    std::string got;
    int cancelled_ones = 0;
    for (int turn = 0; got.size() != content.size(); ++turn) {
      auto reading = create_task(from.read(3'000));
      for (int rounds = turn % 7; rounds > 0; --rounds) co_await sleep(rounds > 4 ? 50us : 0us);
      if (turn % 3 != 0) reading.cancel();
      try {
        const io::bytes some = co_await reading;
        got += some.text();
      } catch (const cancelled&) {
        if (task_base::current()->cancelling() != 0) throw;
        ++cancelled_ones;
      }
    }
    CHECK(same(got, content));
    CHECK(cancelled_ones > 0);
  });
}

TEST_CASE("a write that is cancelled has ended before the next one begins") {
  run_with_files([](std::string place) -> coro<> {
    io::file into = co_await io::open_file(place + "/a", io::to_write);
    for (int turn = 0; turn < 40; ++turn) {
      into.seek(0);
      auto first = create_task(into.write(std::string(400'000, 'a')));
      for (int rounds = turn % 5; rounds > 0; --rounds) co_await sleep(20us);
      first.cancel();
      into.seek(0);
      co_await into.write(std::string(400'000, 'b'));
      const io::bytes all = co_await io::read_file(place + "/a");
      CHECK(all.text().find('a') == std::string_view::npos);
      CHECK(all.size() == 400'000);
    }
  });
}

TEST_CASE("everything with files ends when its task is cancelled, and leaks nothing") {
  run_with_files([](std::string place) -> coro<> {
    struct scene {
      static coro<> all(std::string at, int number) {
        const std::string path = at + "/f" + std::to_string(number);
        io::file one = co_await io::open_file(path, io::to_write);
        co_await one.write(pattern(50'000));
        co_await one.append("more");
        co_await one.truncate(100);
        co_await one.flush(true);
        co_await one.close();
        co_await io::write_file_atomically(path, pattern(10'000));
        co_await io::read_file(path);
        io::temporary scratch = co_await io::temporary_directory(at);
        io::temporary other = co_await io::temporary_file(scratch.path());
        io::directory listed = co_await io::open_directory(at);
        co_await listed.next();
        co_await io::list_directory(at);
        co_await io::make_directories(scratch.path() + "/x/y");
        co_await io::remove_path(path);
      }
    };
    int ended = 0;
    int stopped = 0;
    for (int number = 0; number < 200; ++number) {
      auto one = create_task(scene::all(place, number));
      for (int rounds = number; rounds > 0; --rounds) co_await sleep(0s);
      if (number % 10 == 0) co_await sleep(std::chrono::microseconds(number * 10));
      one.cancel();
      try {
        co_await one;
        ++ended;
      } catch (const cancelled&) {
        ++stopped;
      }
    }
    CHECK(stopped > 50);
    // What was given up is tidied up behind it.
    for (;;) {
      std::size_t left = 0;
      const auto entries = co_await io::list_directory(place);
      for (const io::directory_entry& each : entries)
        if (!each.name.starts_with("f")) ++left;
      if (left == 0) break;
      co_await sleep(1ms);
    }
    static_cast<void>(ended);
  });
}

TEST_CASE("a runtime that ends waits for what is being written, and closes what was dropped") {
  std::string path;
  {
    const std::string content = pattern(8 << 20);
    auto body = [](std::string& where, const std::string& text) -> coro<> {
      io::temporary made = co_await io::temporary_file();
      where = made.keep();
      create_task(io::write_file(where, text));
      io::file dropped_one = co_await io::open_file(where);
      auto reading = create_task(dropped_one.read(1 << 20));
      co_await sleep(0s);
    };
    run_scenario(body(path, content));
  }
  REQUIRE(::unlink(path.c_str()) == 0);
}

TEST_CASE("a file that outlives its loop is closed when it goes") {
  const std::size_t before = open_descriptors();
  {
    auto body = []() -> coro<io::file> { co_return co_await io::open_file("/dev/null"); };
    run_options options;
    options.handle_interrupt = false;
    io::file kept = troupe::run(body(), options);
    CHECK(kept.native() >= 0);
    CHECK(descriptors_come_to(before + 1));
  }
  CHECK(descriptors_come_to(before));
}

TEST_CASE("files work on virtual time too") {
  auto body = []() -> coro<std::string> {
    io::temporary place = co_await io::temporary_directory();
    co_await io::write_file(place.path() + "/a", "virtual");
    io::file from = co_await io::open_file(place.path() + "/a");
    auto given_up = create_task(from.read(3));
    co_await sleep(0s);
    given_up.cancel();
    const io::bytes all = co_await from.read_all(100);
    co_return std::string(all.text());
  };
  CHECK(testing::run(body()) == "virtual");
}

TEST_CASE("a runtime gives up a call on a file that does not end, and names it") {
  struct told {
    std::atomic<bool> go_on{false};
    std::atomic<bool> gone{false};
  } state;
  struct witness {
    explicit witness(std::atomic<bool>& flag) noexcept : gone(&flag) {}
    witness(witness&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
    ~witness() {
      if (gone != nullptr) *gone = true;
    }
    std::atomic<bool>* gone;
  };
  failure_log log;
  auto body = [](told& of) -> coro<> {
    auto stuck = [](told& by) -> coro<> {
      io::internal::file_call call([&by, left = witness(by.gone)] {
        while (!by.go_on) std::this_thread::yield();
        return left.gone != nullptr;
      });
      co_await call;
    };
    create_task(stuck(of));
    co_await sleep(5ms);
  };
  run_options options;
  options.handle_interrupt = false;
  options.shutdown_timeout = 20ms;
  options.on_failure = log.handler();
  troupe::run(body(state), options);
  CHECK(log.count("1 operations on files, under way in the system") >= 1);
  CHECK_FALSE(state.gone);
  state.go_on = true;
  while (!state.gone) std::this_thread::yield();
}

TEST_CASE("each loop has files of its own, and says so of those of another") {
  auto body = []() -> coro<> {
    io::temporary place = co_await io::temporary_directory();
    auto work = [](std::string path) -> coro<> {
      for (int turn = 0; turn < 30; ++turn) {
        io::file made = co_await io::open_file(path, io::to_write);
        co_await made.write(pattern(5'000));
        const io::bytes all = co_await io::read_file(path);
        CHECK(all.size() == 5'000);
      }
    };
    std::vector<task<>> all;
    for (std::size_t index = 0; index < 3; ++index) {
      loop& there = runtime::current()->loop_at(index);
      auto doing = work(place.path() + "/" + std::to_string(index));
      all.push_back(create_task(on(there, std::move(doing))));
    }
    for (task<>& each : all) co_await each;
    io::file ours = co_await io::open_file(place.path() + "/0");
    auto misuse = [](io::file from) -> coro<bool> {
      try {
        co_await from.read(1);
      } catch (const invalid_state& error) {
        co_return has(error.what(), "on another loop");
      }
      co_return false;
    };  // where it is dropped, too
    auto elsewhere = misuse(std::move(ours));
    const bool refused = co_await on(runtime::current()->loop_at(1), std::move(elsewhere));
    CHECK(refused);
  };
  run_scenario(body(), 3);
}

TEST_CASE("a process without a descriptor left says so when a file is opened") {
  if (skipped_without_descriptors()) return;
  run_with_files([](std::string place) -> coro<> {
    co_await io::write_file(place + "/a", "x");
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    std::string text;
    const std::error_code error = co_await error_of(dropped(io::open_file(place + "/a")), &text);
    const std::error_code listed = co_await error_of(dropped(io::list_directory(place)));
    none.lift();
    CHECK(error == std::errc::too_many_files_open);
    CHECK(listed == std::errc::too_many_files_open);
    CHECK(has(text, "/a'"));
    const io::bytes again = co_await io::read_file(place + "/a");
    CHECK(again.text() == "x");
  });
}
