// Files on a simulated disk, and what goes wrong with them. What a power cut leaves is in disk_power.cpp.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/io/file.hpp>
#include <troupe/io/file_system.hpp>
#include <troupe/io/file_tail.hpp>
#include <troupe/io/testing/disk.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/testing/disks.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::disks;

TEST_CASE("files of a simulated disk are written, read, renamed, listed and removed") {
  on_disk([](simulation&, disk& store) -> coro<> {
    co_await io::make_directories("/data/old");
    co_await io::write_file("/data/a", "one");
    io::file grown = co_await io::open_file("/data/a", io::to_append);
    co_await grown.write(" two");
    co_await grown.close();
    io::file changed = co_await io::open_file("data/../data/./a", io::to_change);
    co_await changed.write_at(4, io::bytes("six"));
    const io::bytes middle = co_await changed.read_at(2, 3);
    CHECK(middle.text() == "e s");
    co_await changed.truncate(9);
    const std::uint64_t size = co_await changed.size();
    CHECK(size == 9);
    const io::bytes all = co_await changed.read_all(100);
    CHECK(all.text() == std::string_view("one six\0\0", 9));
    co_await io::rename_path("/data/a", "/data/old/b");
    CHECK(store.list() == std::vector<std::string>{"/data/", "/data/old/", "/data/old/b", "/tmp/"});
    const io::file_status known = co_await io::status_of("/data/old/b");
    CHECK((known.kind == io::file_kind::regular && known.size == 9));
    const std::uint64_t removed = co_await io::remove_tree("/data");
    CHECK(removed == 3);
    CHECK(store.used() == 9);  // it is open
    co_await changed.close();
    CHECK(store.used() == 0);
  });
}

TEST_CASE("a simulated disk has what the test has put there, and says what there is") {
  on_disk([](simulation&, disk& store) -> coro<> {
    store.put("/etc/app/settings", "size = 5\n");
    store.put_directory("/var/log");
    const io::bytes settings = co_await io::read_file("/etc/app/settings");
    CHECK(settings.text() == "size = 5\n");
    co_await io::write_file_atomically("/etc/app/settings", "size = 6\n");
    CHECK(store.text("/etc/app/settings") == "size = 6\n");
    CHECK(store.list("/etc") == std::vector<std::string>{"/etc/app/", "/etc/app/settings"});
    CHECK(store.exists("/var/log"));
    CHECK_FALSE(store.exists("/var/log/today"));
    CHECK_THROWS_AS(store.text("/var/log"), std::system_error);
    CHECK_THROWS_AS(store.put("/var/log", "no"), std::system_error);
  });
}

TEST_CASE("what the system refuses a simulated disk refuses") {
  on_disk([](simulation&, disk& store) -> coro<> {
    store.put("/file", "x");
    store.put("/sealed", "x", 0444);
    const std::error_code error1 = co_await error_of(io::open_file("/none"));
    CHECK(error1 == std::errc::no_such_file_or_directory);
    const std::error_code error2 = co_await error_of(io::open_file("/file/below"));
    CHECK(error2 == std::errc::not_a_directory);
    const std::error_code error3 = co_await error_of(io::open_file("/tmp"));
    CHECK(error3 == std::errc::is_a_directory);
    const std::error_code error4 = co_await error_of(io::open_file(""));
    CHECK(error4 == std::errc::no_such_file_or_directory);
    const std::error_code error5 = co_await error_of(io::open_file("/sealed", io::to_append));
    CHECK(error5 == std::errc::permission_denied);
    const std::error_code error6 =
        co_await error_of(io::open_file("/" + std::string(256, 'x'), io::to_write));
    CHECK(error6 == std::errc::filename_too_long);
    const std::error_code error7 = co_await error_of(io::rename_path("/none", "/some"));
    CHECK(error7 == std::errc::no_such_file_or_directory);
    const std::error_code error8 = co_await error_of(io::rename_path("/file", "/tmp"));
    CHECK(error8 == std::errc::is_a_directory);
    const std::error_code error9 = co_await error_of(io::rename_path("/tmp", "/tmp/below"));
    CHECK(error9 == std::errc::invalid_argument);
    store.put("/full/of", "this");
    const std::error_code error10 = co_await error_of(io::remove_path("/full"));
    CHECK(error10 == std::errc::directory_not_empty);
    const std::error_code error11 = co_await error_of(
        io::open_file("/file", {.write = true, .create = true, .exclusive = true}));
    CHECK(error11 == std::errc::file_exists);
  });
}

TEST_CASE("a simulated disk that is full takes what there is room for, and says so") {
  on_disk(
      [](simulation&, disk& store) -> coro<> {
        co_await io::write_file("/a", std::string(60, 'a'));
        const auto full = co_await error_of(io::write_file("/b", std::string(60, 'b')));
        CHECK(full == std::errc::no_space_on_device);
        CHECK(store.text("/b") == std::string(40, 'b'));
        const auto again = co_await error_of(io::write_file_atomically("/a", std::string(61, 'c')));
        CHECK(again == std::errc::no_space_on_device);
        CHECK(store.text("/a") == std::string(60, 'a'));  // all of the old
        CHECK(store.list() == std::vector<std::string>{"/a", "/b", "/tmp/"});
        co_await io::remove_path("/b");
        co_await io::write_file("/c", std::string(40, 'c'));
        CHECK(store.used() == 100);
        store.set_capacity(1000);
        co_await io::write_file("/d", std::string(900, 'd'));
      },
      {.capacity = 100});
}

TEST_CASE("calls on a simulated disk fail as the test says, as often as it says") {
  on_disk([](simulation&, disk& store) -> coro<> {
    using operation = disk::operation;
    store.put("/a", "a");
    store.put("/b", "b");
    store.fail(operation::read, std::errc::io_error, "/a", 2);
    const std::error_code error1 = co_await error_of(io::read_file("/a"));
    CHECK(error1 == std::errc::io_error);
    const std::error_code error2 = co_await error_of(io::read_file("/b"));
    CHECK(error2 == std::error_code());
    const std::error_code error3 = co_await error_of(io::read_file("/a"));
    CHECK(error3 == std::errc::io_error);
    const std::error_code error4 = co_await error_of(io::read_file("/a"));
    CHECK(error4 == std::error_code());
    store.fail(operation::open, std::errc::too_many_files_open);
    const std::error_code error5 = co_await error_of(io::read_file("/b"));
    CHECK(error5 == std::errc::too_many_files_open);
    store.fail(operation::write, std::errc::no_space_on_device, "/new");
    const std::error_code error6 = co_await error_of(io::write_file("/new", "text"));
    CHECK(error6 == std::errc::no_space_on_device);
    store.fail(operation::change, std::errc::permission_denied, "/a");
    const std::error_code error7 = co_await error_of(io::rename_path("/a", "/c"));
    CHECK(error7 == std::errc::permission_denied);
    store.fail(operation::flush, std::errc::io_error);
    const std::error_code error8 = co_await error_of(io::write_file_atomically("/a", "new"));
    CHECK(error8 == std::errc::io_error);
    CHECK(store.text("/a") == "a");
    CHECK(store.traffic().failed == 6);
  });
}

TEST_CASE("calls on a slow simulated disk take virtual time, and can be given up") {
  on_disk([](simulation& world, disk& store) -> coro<> {
    store.put("/a", "a");
    store.set_latency(10ms);
    const time_point begin = world.time();
    const io::bytes got = co_await io::read_file("/a");
    CHECK(got.text() == "a");
    CHECK(world.time() - begin == 10ms);
    store.set_latency(6s);
    auto slow = io::read_file("/a");
    CHECK_THROWS_AS(co_await timeout(5s, std::move(slow)), timeout_error);
    store.set_latency(duration::zero());
    const io::bytes then = co_await io::read_file("/a");
    CHECK(then.text() == "a");
  });
}

TEST_CASE("temporary files of a simulated disk go, and have the same names in the same run") {
  std::vector<std::string> names;
  for (int run = 0; run < 2; ++run) {
    on_disk([&](simulation&, disk& store) -> coro<> {
      {
        const io::temporary scratch = co_await io::temporary_directory();
        names.push_back(scratch.path());
        co_await io::write_file(scratch.path() + "/notes", "x");
        CHECK(store.used() == 1);
      }
      co_await sleep(1ms);
      CHECK(store.list() == std::vector<std::string>{"/tmp/"});
    });
  }
  CHECK(names[0] == names[1]);
}

namespace {

class reader_of_lines : public actor<io::tail_events> {
 public:
  explicit reader_of_lines(std::vector<std::string>& heard) : heard_(heard) {}
  void on_start() {
    tail_ = spawn<io::file_tail>("/log", self(), io::tail_options{.from_start = true});
    tail_.tell(io::tail_demand{100});
  }
  void on(io::tail_data line) { heard_.emplace_back(line.chunk.text()); }
  void on(io::tail_restarted) { heard_.emplace_back("-"); }
  void on(io::tail_ended) {}

 private:
  std::vector<std::string>& heard_;
  actor_ref<io::tail> tail_;
};

}  // namespace

TEST_CASE("a file of a simulated disk is followed, through its replacement") {
  on_disk([](simulation& world, disk&) -> coro<> {
    std::vector<std::string> heard;
    auto reader = spawn<reader_of_lines>(std::ref(heard));
    co_await io::write_file("/log", "one\n");
    co_await world.advance(1min);
    io::file log = co_await io::open_file("/log", io::to_append);
    co_await log.write("two\n");
    co_await world.advance(1min);
    co_await io::rename_path("/log", "/log.1");
    co_await io::write_file("/log", "three\n");
    co_await world.advance(1min);
    CHECK(heard == std::vector<std::string>{"one", "two", "-", "three"});
    reader.stop();
    co_await reader.stopped();
  });
}

TEST_CASE("in a simulation without a disk files are refused, which says what to do") {
  first_come natural;
  simulation world(natural);
  world.run([]() -> coro<> {
    try {
      co_await io::read_file("/etc/hostname");
      FAIL("it was read");
    } catch (const invalid_state& refused) {
      CHECK(std::string(refused.what()).find("troupe::testing::disk") != std::string::npos);
    }
  }());
}

TEST_CASE("each machine may have a disk of its own, in a place of its own") {
  on_disk([](simulation& world, disk& first) -> coro<> {
    disk second(world, {.at = "/mnt/second"});
    co_await io::write_file("/mnt/second/x", "x");
    CHECK(second.list("/mnt/second") == std::vector<std::string>{"/mnt/second/x"});
    CHECK(first.list() == std::vector<std::string>{"/tmp/"});
    const std::error_code error1 = co_await error_of(io::rename_path("/mnt/second/x", "/x"));
    CHECK(error1 == std::errc::cross_device_link);
    CHECK_THROWS_AS(disk(world, {.at = "/mnt/second"}), invalid_state);
    CHECK_THROWS_AS(second.text("/x"), std::invalid_argument);
    second.cut_power();
    const std::error_code error2 = co_await error_of(io::read_file("/mnt/second/x"));
    CHECK(error2 == std::errc::io_error);
    co_await io::write_file("/x", "x");
  });
}

TEST_CASE("the same seed makes the same faults of a simulated disk") {
  const auto run = [](std::uint64_t seed) {
    random_walk chosen(seed);
    simulation world(chosen);
    world.run([](simulation& here) -> coro<> {
      disk store(here, {.faults = 5, .power_cuts = 1});
      for (int round = 0; round < 20; ++round)
        static_cast<void>(co_await error_of(io::write_file_atomically("/a", "text")));
    }(world));
    return world.hash();
  };
  for (std::uint64_t seed = 0; seed < 100; ++seed) CHECK(run(seed) == run(seed));
}

TEST_CASE("a budget of faults is spent, and each kind of fault comes up") {
  std::set<std::string> seen;
  explore({.schedules = 300}, [&](simulation& world) -> coro<> {
    disk store(world, {.faults = 1});
    store.put("/a", "old");
    int failed = 0;
    for (int round = 0; round < 2; ++round) {
      const std::error_code error = co_await error_of(io::write_file_atomically("/a", "new text"));
      if (error) {
        seen.insert(error.message());
        ++failed;
      }
      const std::error_code reading = co_await error_of(io::read_file("/a"));
      if (reading) {
        seen.insert("reading: " + reading.message());
        ++failed;
      }
    }
    expect(failed <= 1, "more went wrong than may");
  });
  CHECK(seen.size() == 3);
}
