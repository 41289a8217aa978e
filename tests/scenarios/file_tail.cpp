// Files that grow, and the actor that follows them.
#include <troupe/io/file_system.hpp>
#include <troupe/io/file_tail.hpp>
#include <troupe/runtime/event.hpp>

#include "scenarios/support.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct heard {
  std::vector<std::string> lines;
  std::string bytes;
  std::size_t cut = 0;
  std::size_t replaced = 0;
  std::size_t truncated = 0;
  std::vector<std::error_code> ends;
};

/// Follows a file, and gives credit for so much at first and for each event again.
class reader : public actor<io::tail_events> {
 public:
  reader(std::string path, heard& into, io::tail_options options, std::size_t credit)
      : into_(into), tail_(spawn<io::file_tail>(std::move(path), self(), options)) {
    tail_.tell(io::tail_demand{credit});
    again_ = options.lines ? credit : 0;
  }
  void on(io::tail_data d) {
    into_.lines.emplace_back(d.chunk.text());
    into_.bytes += d.chunk.text();
    if (d.cut) ++into_.cut;
    if (again_ == 1) tail_.tell(io::tail_demand{1});
  }
  void on(io::tail_restarted r) { ++(r.truncated ? into_.truncated : into_.replaced); }
  void on(io::tail_ended e) {
    into_.ends.push_back(e.reason);
    stop();
  }

 private:
  heard& into_;
  actor_ref<io::tail> tail_;
  std::size_t again_;
};

/// One that waits for the last word.
class idle_owner : public actor<io::tail_events> {
 public:
  explicit idle_owner(std::vector<std::error_code>& into) : ends_(into) {}
  void on(io::tail_data) {}
  void on(io::tail_restarted) {}
  void on(io::tail_ended e) {
    ends_.push_back(e.reason);
    stop();
  }

 private:
  std::vector<std::error_code>& ends_;
};

/// A directory, a file in it, and what was heard of that.
struct followed_log {
  explicit followed_log(io::temporary made) : place(std::move(made)), path(place.path() + "/log") {}

  void follow(io::tail_options options = {}, std::size_t credit = SIZE_MAX) {
    owner = spawn<reader>(path, all, options, credit);
  }
  coro<> until_lines(std::size_t count) {
    co_await poll_until([this, count] { return all.lines.size() >= count; });
  }
  coro<> stop() {
    owner.stop();
    co_await owner.stopped();
  }

  io::temporary place;
  std::string path;
  heard all;
  actor_ref<io::tail_events> owner;
};

template <class Body>
coro<> in_log(Body body) {
  io::temporary place = co_await io::temporary_directory();
  followed_log on(std::move(place));
  co_await body(on);
}
void run_tail(coro<> (*body)(followed_log&)) { run_scenario(in_log(body)); }

coro<> add(std::string path, std::string text) {
  io::file log = co_await io::open_file(std::move(path), io::to_append);
  co_await log.write(text);
  co_await log.close();
}

using lines = std::vector<std::string>;
constexpr io::tail_options all_of_it{.from_start = true};
/// So long that only the system's notices explain that a test ends in time.
constexpr io::tail_options by_notices{.from_start = true, .check_interval = 10min};

}  // namespace

TEST_CASE("a tail sends the lines that are added to a file") {
  run_tail([](followed_log& on) -> coro<> {
    co_await add(on.path, "one\ntwo\r\n");
    on.follow(by_notices);
    co_await on.until_lines(2);
    co_await add(on.path, "thr");
    co_await sleep(2ms);
    co_await add(on.path, "ee\n\nfive\n");
    co_await on.until_lines(5);
    CHECK(on.all.lines == lines{"one", "two", "three", "", "five"});
    CHECK(on.all.replaced + on.all.truncated == 0);
    co_await on.stop();
    CHECK(on.all.ends.empty());  // its owner was stopped before
  });
}

TEST_CASE("a tail begins at the end of a file unless it is told otherwise") {
  run_tail([](followed_log& on) -> coro<> {
    co_await add(on.path, "old\n");
    on.follow({.check_interval = 10ms});
    // It cannot be seen from outside when it has begun: what is added before that is old, too.
    int number = 0;
    while (on.all.lines.empty()) {
      co_await add(on.path, "new " + std::to_string(number++) + "\n");
      co_await sleep(1ms);
    }
    CHECK(on.all.lines[0].starts_with("new "));
  });
}

TEST_CASE("a tail waits for a file, and a directory, that do not exist yet") {
  run_tail([](followed_log& on) -> coro<> {
    on.path = on.place.path() + "/later/log";
    on.follow({.check_interval = 5ms});
    co_await sleep(20ms);
    co_await io::make_directories(on.place.path() + "/later");
    co_await add(on.path, "first\n");
    co_await on.until_lines(1);
    CHECK(on.all.lines == lines{"first"});  // from its start, for it is new
    CHECK(on.all.replaced == 0);
  });
}

TEST_CASE("a tail waits by notices for a file that does not exist yet") {
  run_tail([](followed_log& on) -> coro<> {
    on.follow(by_notices);
    co_await sleep(5ms);
    co_await add(on.path, "first\n");
    co_await on.until_lines(1);
    CHECK(on.all.lines == lines{"first"});
  });
}

TEST_CASE("a tail follows a name over rotation, and reads the old file to its end before") {
  run_tail([](followed_log& on) -> coro<> {
    on.follow(by_notices);
    lines expected;
    for (int turn = 0; turn < 20; ++turn) {
      for (int line = 0; line < 50; ++line) {
        expected.push_back(std::to_string(turn) + " " + std::to_string(line));
        co_await add(on.path, expected.back() + "\n");
      }
      expected.push_back("the end of " + std::to_string(turn));
      co_await add(on.path, expected.back());  // without a newline
      // Two rotations that it may see as one would cost it a file, as it would `tail -F`.
      if (turn > 0) co_await poll_until([&] { return on.all.replaced == std::size_t(turn); });
      co_await on.until_lines(expected.size() - 1);
      co_await io::rename_path(on.path, on.path + "." + std::to_string(turn));
    }
    co_await add(on.path, "last\n");
    expected.push_back("last");
    co_await on.until_lines(expected.size());
    CHECK(on.all.lines == expected);
    CHECK(on.all.replaced == 20);
  });
}

TEST_CASE(
    "a tail follows a file that is replaced at once, and one that is removed and made again") {
  run_tail([](followed_log& on) -> coro<> {
    co_await add(on.path, "a\n");
    on.follow(by_notices);
    co_await on.until_lines(1);
    co_await io::write_file_atomically(on.path, "b\n");
    co_await on.until_lines(2);
    co_await io::remove_path(on.path);
    co_await sleep(5ms);
    co_await add(on.path, "c\n");
    co_await on.until_lines(3);
    CHECK(on.all.lines == lines{"a", "b", "c"});
    CHECK(on.all.replaced == 2);
  });
}

TEST_CASE("a tail begins anew when its file is cut off") {
  run_tail([](followed_log& on) -> coro<> {
    co_await add(on.path, "a long line\nand a piece");
    on.follow(by_notices);
    co_await on.until_lines(1);
    io::file log = co_await io::open_file(on.path, io::to_change);
    co_await poll_until([&] { return on.all.lines.size() == 1; });
    co_await sleep(5ms);
    co_await log.truncate(0);
    co_await poll_until([&] { return on.all.truncated == 1; });
    co_await add(on.path, "new\n");
    co_await on.until_lines(3);
    CHECK(on.all.lines == lines{"a long line", "and a piece", "new"});
  });
}

TEST_CASE("a tail sends no more lines than it has credit for, and reads nothing without") {
  run_tail([](followed_log& on) -> coro<> {
    std::string text;
    for (int line = 0; line < 1000; ++line) text += std::to_string(line) + "\n";
    co_await add(on.path, text);
    on.follow(all_of_it, 7);
    co_await on.until_lines(7);
    co_await sleep(5ms);
    CHECK(on.all.lines.size() == 7);
  });
}

TEST_CASE("a tail with credit for one line at a time sends them all, in order") {
  run_tail([](followed_log& on) -> coro<> {
    std::string text;
    for (int line = 0; line < 3000; ++line) text += std::to_string(line) + "\n";
    co_await add(on.path, text);
    on.follow(all_of_it, 1);
    co_await on.until_lines(3000);
    std::size_t wrong = 0;
    for (std::size_t line = 0; line < 3000; ++line)
      if (on.all.lines[line] != std::to_string(line)) ++wrong;
    CHECK(wrong == 0);
    CHECK(on.all.lines.size() == 3000);
  });
}

TEST_CASE("a tail of bytes sends them as they are, and never more than there is credit for") {
  run_tail([](followed_log& on) -> coro<> {
    const std::string content = pattern(200'000);
    co_await io::write_file(on.path, content);
    on.follow({.lines = false, .from_start = true}, 100'000);
    co_await poll_until([&] { return on.all.bytes.size() >= 100'000; });
    co_await sleep(2ms);
    CHECK(on.all.bytes.size() == 100'000);
    CHECK(same(on.all.bytes, std::string_view(content).substr(0, 100'000)));
  });
}

TEST_CASE("a line that is too long is cut, and those behind it are whole") {
  run_tail([](followed_log& on) -> coro<> {
    const std::string longest(100, 'x');
    co_await add(on.path, longest + "\n" + longest + "y\nshort\n" + std::string(100'000, 'z') +
                              "\nlast\n" + std::string(150, 'w'));
    on.follow({.from_start = true, .longest_line = 100, .largest_chunk = 1000});
    co_await on.until_lines(6);
    CHECK(on.all.lines ==
          lines{longest, longest, "short", std::string(100, 'z'), "last", std::string(100, 'w')});
    CHECK(on.all.cut == 3);
    co_await add(on.path, "the rest\nnext\n");
    co_await on.until_lines(7);
    CHECK(on.all.lines.back() == "next");
  });
}

TEST_CASE("a tail of what is no file ends with the reason, once") {
  run_tail([](followed_log& on) -> coro<> {
    REQUIRE(::mkdir(on.path.c_str(), 0700) == 0);
    on.follow();
    co_await on.owner.stopped();
    REQUIRE(on.all.ends.size() == 1);
    CHECK(on.all.ends[0] == std::errc::is_a_directory);
    REQUIRE(::rmdir(on.path.c_str()) == 0);
    REQUIRE(::mkfifo(on.path.c_str(), 0600) == 0);
    on.follow();
    co_await on.owner.stopped();
    REQUIRE(on.all.ends.size() == 2);
    CHECK(on.all.ends[1] == std::errc::invalid_seek);
  });
}

TEST_CASE("a tail whose file becomes a directory says so") {
  run_tail([](followed_log& on) -> coro<> {
    co_await add(on.path, "a\n");
    on.follow(by_notices);
    co_await on.until_lines(1);
    co_await io::remove_path(on.path);
    co_await io::make_directories(on.path);
    co_await on.owner.stopped();
    REQUIRE(on.all.ends.size() == 1);
    CHECK(on.all.ends[0] == std::errc::is_a_directory);
  });
}

TEST_CASE("a tail that is stopped at any moment says so once, and leaves nothing behind") {
  auto body = []() -> coro<> {
    io::temporary place = co_await io::temporary_directory();
    const std::string path = place.path() + "/log";
    co_await io::write_file(path, "a\nb\n");
    std::vector<std::error_code> ends;
    for (int turn = 0; turn < 100; ++turn) {
      auto owner = spawn<idle_owner>(ends);  // not its parent, so that it lives to hear of the end
      auto followed = spawn<io::file_tail>(path, owner, all_of_it);
      followed.tell(io::tail_demand{turn % 3 == 0 ? std::size_t{0} : std::size_t{1}});
      for (int rounds = turn % 20; rounds > 0; --rounds) co_await sleep(turn > 50 ? 50us : 0us);
      followed.stop();
      co_await owner.stopped();
      CHECK(ends.size() == std::size_t(turn) + 1);
      CHECK(ends.back() == std::errc::operation_canceled);
    }
  };
  run_scenario(body());
}

TEST_CASE("a tail without an owner, or without room for a byte, is refused") {
  run_tail([](followed_log& on) -> coro<> {
    CHECK_THROWS_AS(spawn<io::file_tail>(on.path, actor_ref<io::tail_events>()),
                    std::invalid_argument);
    on.follow();
    CHECK_THROWS_AS(spawn<io::file_tail>(on.path, on.owner, io::tail_options{.longest_line = 0}),
                    std::invalid_argument);
    co_return;
  });
}
