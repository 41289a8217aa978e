// What a power cut leaves on a simulated disk.
#include <troupe/io/file.hpp>
#include <troupe/io/file_system.hpp>
#include <troupe/io/testing/disk.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>

#include "io/testing/disks.hpp"

#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::disks;

namespace {

/// All that may be found after a scenario and a restart, over all choices.
template <class Scenario>
std::set<std::string> outcomes(Scenario scenario, const disk_options& how = {}) {
  std::set<std::string> found;
  explore_options all;
  all.how = search::exhaustive;
  all.schedules = 100'000;
  const exploration report = explore(all, [&](simulation& world) -> coro<> {
    disk store(world, how);
    store.put("/a", "old");
    try {
      co_await scenario(store);
    } catch (const std::system_error& error) {
      expect(error.code() == std::errc::io_error, error.what());
    }
    store.restart();
    std::string left;
    for (const std::string& each : store.list())
      if (each != "/tmp/") left += each + "=" + store.text(each) + " ";
    found.insert(left);
  });
  CHECK(report.complete);
  return found;
}

using names = std::set<std::string>;

}  // namespace

TEST_CASE("what was flushed is there after a power cut") {
  const names left = outcomes([](disk&) -> coro<> {
    io::file changed = co_await io::open_file("/a", io::to_change);
    co_await changed.write("new");
    co_await changed.flush();
    co_await changed.close();
  });
  CHECK(left == names{"/a=new "});
}

TEST_CASE("what was not flushed is there after a power cut, or not, or in part") {
  const names left = outcomes(
      [](disk&) -> coro<> {
        io::file changed = co_await io::open_file("/a", io::to_change);
        co_await changed.write("ABCD");
        co_await changed.close();
      },
      {.sector = 2});
  CHECK(left == names{"/a=old ", "/a=ABd ", "/a=ABCD "});
}

TEST_CASE("of two writes the second may be there without the first") {
  const names left = outcomes([](disk&) -> coro<> {
    io::file changed = co_await io::open_file("/a", io::to_append);
    co_await changed.write("1");
    co_await changed.write("2");
    co_await changed.close();
  });
  CHECK(left == names{"/a=old ", "/a=old1 ", "/a=old12 ", "/a=old" + std::string(1, '\0') + "2 "});
}

TEST_CASE("a file that is written and renamed without a flush may be empty") {
  const names left = outcomes([](disk&) -> coro<> {
    io::file made = co_await io::open_file("/b", io::to_write);
    co_await made.write("new");
    co_await made.close();
    co_await io::rename_path("/b", "/a");
  });
  CHECK(left.contains("/a= "));
  CHECK(left.contains("/a=old "));
  CHECK(left.contains("/a=new "));
  CHECK(left.contains("/a=old /b= "));
}

TEST_CASE("a file that is written, flushed and renamed is there as the old or as the new one") {
  const names left = outcomes([](disk&) -> coro<> {
    io::file made = co_await io::open_file("/b", io::to_write);
    co_await made.write("new");
    co_await made.flush();
    co_await made.close();
    co_await io::rename_path("/b", "/a");
  });
  CHECK(left == names{"/a=old /b=new ", "/a=new "});
}

TEST_CASE(
    "a file that is replaced atomically is the new one, whenever the power goes the old or the "
    "new") {
  const auto replace = [](disk&) -> coro<> { co_await io::write_file_atomically("/a", "new"); };
  CHECK(outcomes(replace) == names{"/a=new "});
  for (const std::string& each : outcomes(replace, {.power_cuts = 1}))
    CHECK((each.starts_with("/.a.") ? each.find("/a=old ") != std::string::npos
                                    : each == "/a=old " || each == "/a=new "));
}

TEST_CASE(
    "a flush that has failed has lost what it was to write, and a later one does not bring it "
    "back") {
  const names left = outcomes([](disk& store) -> coro<> {
    io::file changed = co_await io::open_file("/a", io::to_append);
    co_await changed.write("1");
    store.fail(disk::operation::flush, std::errc::io_error);
    const std::error_code failed = co_await error_of(changed.flush());
    expect(failed == std::errc::io_error, "the flush did not fail");
    expect(store.text("/a") == "old1", "a reader sees something else");
    co_await changed.flush();
    co_await changed.close();
  });
  CHECK(left == names{"/a=old "});
}

TEST_CASE("what is open when the power is cut is of no use any more") {
  on_disk([](simulation&, disk& store) -> coro<> {
    io::file made = co_await io::open_file("/a", io::to_write);
    store.cut_power();
    CHECK(store.is_off());
    const std::error_code error1 = co_await error_of(made.write("x"));
    CHECK(error1 == std::errc::io_error);
    const std::error_code error2 = co_await error_of(io::exists("/a"));
    CHECK(error2 == std::errc::io_error);
    store.restart();
    const std::error_code error3 = co_await error_of(made.write("x"));
    CHECK(error3 == std::errc::io_error);
    co_await made.close();
    co_await io::write_file("/a", "y");
    CHECK(store.text("/a") == "y");
    CHECK(store.used() == 1);
  });
}

TEST_CASE("without a power cut nothing is lost, however a program ends") {
  on_disk([](simulation& world, disk& store) -> coro<> {
    auto writer = create_task([]() -> coro<> {
      io::file log = co_await io::open_file("/log", io::to_append);
      for (;;) {
        co_await log.write("line\n");
        co_await sleep(1s);
      }
    }());
    co_await world.advance(9500ms);
    writer.cancel();
    co_await world.quiet();
    CHECK(store.text("/log").size() == 50);
  });
}

namespace {

/// Two accounts in a file, and a transfer between them by a log that is written before: each line is "from to\n" with both new balances.
coro<> transfer(bool flushes_log) {
  io::file log = co_await io::open_file("/log", io::to_append);
  co_await log.write("40 60\n");
  if (flushes_log) co_await log.flush();
  co_await log.close();
  io::file accounts = co_await io::open_file("/accounts", io::to_change);
  co_await accounts.write_at(0, io::bytes("40 "));
  co_await accounts.write_at(3, io::bytes("60 "));
  co_await accounts.flush();
  co_await accounts.close();
  co_await io::remove_path("/log");
}

coro<> recover() {
  const bool logged = co_await io::exists("/log");
  if (!logged) co_return;
  const io::bytes last = co_await io::read_file("/log");
  if (last.text().ends_with("\n"))
    co_await io::write_file_atomically("/accounts", std::string(last.text().substr(0, 5)) + " ");
}

coro<> banking(simulation& world, bool flushes_log) {
  disk store(world, {.power_cuts = 1, .sector = 3});
  store.put("/accounts", "50 50 ");
  store.put("/log", "");
  static_cast<void>(co_await error_of(transfer(flushes_log)));
  std::error_code failed;
  do {  // the power may go while it recovers, too
    store.restart();
    failed = co_await error_of(recover());
  } while (failed);
  const std::string left = store.text("/accounts");
  expect(left == "50 50 " || left == "40 60 ", "money is gone or made: " + left);
}

}  // namespace

TEST_CASE("a log that is not flushed before what it is for is found out, and one that is stands") {
  explore_options quickly;
  quickly.schedules = 2'000;
  CHECK_THROWS_AS(explore(quickly, [](simulation& world) { return banking(world, false); }),
                  schedule_failed);
  explore(quickly, [](simulation& world) { return banking(world, true); });
}
