// Files: real ones, in a directory of their own.
#include <troupe/io/file.hpp>
#include <troupe/io/file_system.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/files.hpp"
#include "scenarios/support.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a file is written, and read again from its beginning") {
  run_with_files([](std::string place) -> coro<> {
    io::file made = co_await io::open_file(place + "/a", io::to_write);
    co_await made.write("hello ");
    co_await made.write("world");
    CHECK(made.tell() == 11);
    co_await made.close();
    CHECK(made.native() == -1);
    io::file again = co_await io::open_file(place + "/a");
    const io::bytes some = co_await again.read(5);
    CHECK(some.text() == "hello");
    const io::bytes rest = co_await again.read(100);
    CHECK(rest.text() == " world");
    const io::bytes none = co_await again.read(100);
    CHECK(none.empty());
    again.seek(6);
    const io::bytes all = co_await again.read_all(100);
    CHECK(all.text() == "world");
  });
}

TEST_CASE("a place of a file is read and written without moving its position") {
  run_with_files([](std::string place) -> coro<> {
    io::file both = co_await io::open_file(
        place + "/a", io::open_options{.read = true, .write = true, .create = true});
    co_await both.write("0123456789");
    co_await both.write_at(3, io::bytes("abc"));
    const io::bytes some = co_await both.read_at(2, 5);
    CHECK(some.text() == "2abc6");
    std::array<std::byte, 4> into{};
    const std::size_t got = co_await both.read_at(8, std::span<std::byte>(into));
    CHECK(got == 2);
    CHECK(std::memcmp(into.data(), "89", 2) == 0);
    CHECK(both.tell() == 10);
    const std::uint64_t size = co_await both.size();
    CHECK(size == 10);
    co_await both.truncate(4);
    co_await both.flush();
    co_await both.flush(true);
    co_await both.append("!");
    const io::bytes all = co_await io::read_file(place + "/a");
    CHECK(all.text() == "012a!");
  });
}

TEST_CASE("what is opened to append writes at the end, wherever it is") {
  run_with_files([](std::string place) -> coro<> {
    io::file one = co_await io::open_file(place + "/a", io::to_append);
    io::file other = co_await io::open_file(place + "/a", io::to_append);
    co_await one.write("1");
    co_await other.write("2");
    co_await one.write("3");
    const io::bytes all = co_await io::read_file(place + "/a");
    CHECK(all.text() == "123");
    bool refused = false;
    try {
      co_await one.write_at(0, io::bytes("x"));
    } catch (const invalid_state&) {
      refused = true;
    }
    CHECK(refused);
  });
}

TEST_CASE("tasks that write one file at its position do so one after the other, in order") {
  run_with_files([](std::string place) -> coro<> {
    io::file log = co_await io::open_file(place + "/a", io::to_write);
    std::vector<task<>> writing;
    std::string expected;
    for (int index = 0; index < 100; ++index) {
      const std::string line = "line " + std::to_string(index) + "\n";
      expected += line;
      writing.push_back(create_task(log.write(line)));
    }
    for (task<>& each : writing) co_await each;
    const io::bytes all = co_await io::read_file(place + "/a");
    CHECK(same(all.text(), expected));
  });
}

TEST_CASE("a thousand reads of one file at the same time get what is there") {
  run_with_files([](std::string place) -> coro<> {
    const std::string content = pattern(1 << 20);
    co_await io::write_file(place + "/a", content);
    io::file all = co_await io::open_file(place + "/a");
    std::vector<task<io::bytes>> reads;
    for (std::size_t index = 0; index < 1000; ++index)
      reads.push_back(create_task(all.read_at(index * 1000, 1000)));
    std::size_t wrong = 0;
    for (std::size_t index = 0; index < 1000; ++index) {
      const io::bytes got = co_await std::move(reads[index]);
      if (got.text() != std::string_view(content).substr(index * 1000, 1000)) ++wrong;
    }
    CHECK(wrong == 0);
  });
}

// --- bad input --------------------------------------------------------------------------------------------------------

TEST_CASE("each thing that cannot be opened as a file says why, and which") {
  run_with_files([](std::string place) -> coro<> {
    std::string text;
    const auto open = [&](std::string path, io::open_options options) {
      return error_of(dropped(io::open_file(std::move(path), options)), &text);
    };
    std::error_code error = co_await open(place + "/none", io::to_read);
    CHECK(error == std::errc::no_such_file_or_directory);
    CHECK(has(text, "opening '" + place + "/none'"));
    error = co_await open(place, io::to_read);
    CHECK(error == std::errc::is_a_directory);
    error = co_await open(place, io::to_write);
    CHECK(error == std::errc::is_a_directory);
    error = co_await open(std::string("a\0b", 3), io::to_read);
    CHECK(error == std::errc::invalid_argument);
    CHECK(has(text, "NUL"));
    error = co_await open(place + "/" + std::string(300, 'x'), io::to_write);
    CHECK(error == std::errc::filename_too_long);
    co_await io::write_file(place + "/a", "x");
    error = co_await open(place + "/a/b", io::to_read);
    CHECK(error == std::errc::not_a_directory);
    error = co_await open(place + "/a",
                          io::open_options{.write = true, .create = true, .exclusive = true});
    CHECK(error == std::errc::file_exists);
    error = co_await open("", io::to_read);
    CHECK(error == std::errc::no_such_file_or_directory);
  });
}

TEST_CASE("a pipe or socket opened as a file is refused at once, with or without a peer") {
  run_with_files([](std::string place) -> coro<> {
    const std::string path = place + "/pipe";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    std::string text;
    std::error_code error = co_await error_of(dropped(io::open_file(path)), &text);
    CHECK(error == std::errc::invalid_seek);
    error = co_await error_of(dropped(io::open_file(path, io::to_append)), &text);
    CHECK(error == std::errc::invalid_seek);
    CHECK(has(text, path));
    error = co_await error_of(dropped(io::read_file(path)));
    CHECK(error == std::errc::invalid_seek);
    error = co_await error_of(io::write_file_atomically(path, "x"), &text);
    CHECK(error == std::errc::invalid_argument);
    CHECK(has(text, "device or pipe"));
  });
}

TEST_CASE("a file without permission says so") {
  if (::geteuid() == 0) {
    WARN("root may open anything: nothing is tested");
    return;
  }
  run_with_files([](std::string place) -> coro<> {
    co_await io::write_file(place + "/a", "x");
    REQUIRE(::chmod((place + "/a").c_str(), 0) == 0);
    const std::error_code error = co_await error_of(dropped(io::open_file(place + "/a")));
    CHECK(error == std::errc::permission_denied);
  });
}

TEST_CASE("a full device says how much was written") {
  run_with_files([](std::string) -> coro<> {
    io::file full = co_await io::open_file("/dev/full", io::open_options{.write = true});
    std::string text;
    std::error_code error = co_await error_of(full.write("hello"), &text);
    CHECK(error == std::errc::no_space_on_device);
    CHECK(has(text, "writing '/dev/full', after 0 bytes of 5"));
    CHECK(full.tell() == 0);
    error = co_await error_of(full.append("hello"));
    CHECK(error == std::errc::no_space_on_device);
  });
}

TEST_CASE("sizes beyond all measure are refused or cost nothing") {
  run_with_files([](std::string place) -> coro<> {
    io::file small = co_await io::open_file(
        place + "/a", io::open_options{.read = true, .write = true, .create = true});
    co_await small.write("0123456789");
    const io::bytes all = co_await small.read_at(0, SIZE_MAX);
    CHECK(all.text() == "0123456789");
    const io::bytes beyond = co_await small.read_at(INT64_MAX, 10);
    CHECK(beyond.empty());
    std::error_code error = co_await error_of(dropped(small.read_at(UINT64_MAX, 10)));
    CHECK(error == std::errc::invalid_argument);
    error = co_await error_of(small.write_at(UINT64_MAX - 2, io::bytes("x")));
    CHECK(error == std::errc::file_too_large);
    error = co_await error_of(small.truncate(UINT64_MAX));
    CHECK(error == std::errc::file_too_large);
    small.seek(UINT64_MAX);
    error = co_await error_of(small.write("x"));
    CHECK(error == std::errc::file_too_large);
    small.seek(5);
    const io::bytes rest = co_await small.read_all(SIZE_MAX);
    CHECK(rest.text() == "56789");
    io::file zeros = co_await io::open_file("/dev/zero");
    const io::bytes some = co_await zeros.read(SIZE_MAX);
    CHECK(some.size() == 1 << 16);
  });
}

TEST_CASE("read_file reads what says that it has no size, and stops at its limit") {
  run_with_files([](std::string place) -> coro<> {
    const io::bytes own = co_await io::read_file("/proc/self/status");
    CHECK(own.text().find("VmRSS") != std::string_view::npos);
    co_await io::write_file(place + "/a", pattern(10'000));
    const io::bytes all = co_await io::read_file(place + "/a", 10'000);
    CHECK(same(all.text(), pattern(10'000)));
    bool refused = false;
    try {
      co_await io::read_file(place + "/a", 9'999);
    } catch (const io::too_long& error) {
      refused = has(error.what(), "/a' holds more than the 9999 bytes");
    }
    CHECK(refused);
    refused = false;
    try {
      co_await io::read_file("/dev/zero", 100'000);
    } catch (const io::too_long&) {
      refused = true;
    }
    CHECK(refused);
  });
}

TEST_CASE("a file that is closed, or was opened for something else, says so") {
  run_with_files([](std::string place) -> coro<> {
    co_await io::write_file(place + "/a", "x");
    io::file only = co_await io::open_file(place + "/a");
    int refused = 0;
    try {
      co_await only.write("y");
    } catch (const invalid_state& error) {
      refused += has(error.what(), "opened to be read only") ? 1 : 0;
    }
    co_await only.close();
    co_await only.close();
    try {
      co_await only.read(1);
    } catch (const invalid_state& error) {
      refused += has(error.what(), "which has been closed") ? 1 : 0;
    }
    for (const io::open_options wrong :
         {io::open_options{}, io::open_options{.read = true, .truncate = true},
          io::open_options{.write = true, .exclusive = true}}) {
      try {
        co_await io::open_file(place + "/a", wrong);
      } catch (const std::invalid_argument&) {
        ++refused;
      }
    }
    CHECK(refused == 5);
  });
}
