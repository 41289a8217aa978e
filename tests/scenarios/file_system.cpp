// Names of files: replacing, listing, removing, and what is there for a while.
#include <troupe/io/file_system.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/files.hpp"
#include "scenarios/support.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// No file may become longer than that, for a while.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t most) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit limited = before_;
    limited.rlim_cur = most;
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
  }
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

}  // namespace

TEST_CASE("a file is replaced as a whole, with its permissions, also behind a link") {
  run_with_files([](std::string place) -> coro<> {
    const std::string path = place + "/a";
    co_await io::write_file_atomically(path, "first");
    const io::file_status made = co_await io::status_of(path);
    CHECK((made.permissions & 0600) == 0600);
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    REQUIRE(::symlink("a", (place + "/link").c_str()) == 0);
    co_await io::write_file_atomically(place + "/link", "second");
    const io::bytes now = co_await io::read_file(path);
    CHECK(now.text() == "second");
    const io::file_status after = co_await io::status_of(path);
    CHECK(after.permissions == 0640);
    CHECK_FALSE(after.same_file(made));
    const io::file_status link = co_await io::status_of(place + "/link", false);
    CHECK(link.kind == io::file_kind::symbolic_link);
    const auto all = co_await io::list_directory(place);
    CHECK(all.size() == 2);
    // A name of the longest length leaves room for the other name all the same.
    const std::string longest(255, 'n');
    co_await io::write_file_atomically(place + "/" + longest, "x");
    const bool there = co_await io::exists(place + "/" + longest);
    CHECK(there);
  });
}

TEST_CASE("a replacement that fails leaves the old content and nothing else") {
  run_with_files([](std::string place) -> coro<> {
    const std::string path = place + "/a";
    co_await io::write_file(path, "old");
    std::string text;
    {
      const file_size_limit limit(1000);
      const std::error_code error =
          co_await error_of(io::write_file_atomically(path, pattern(5'000)), &text);
      CHECK(error == std::errc::file_too_large);
    }
    CHECK(text.find("1000 bytes of 5000") != std::string::npos);
    const io::bytes now = co_await io::read_file(path);
    CHECK(now.text() == "old");
    const auto all = co_await io::list_directory(place);
    CHECK(all.size() == 1);
    std::error_code error = co_await error_of(io::write_file_atomically(place, "x"));
    CHECK(error == std::errc::is_a_directory);
    error = co_await error_of(io::write_file_atomically(place + "/none/a", "x"));
    CHECK(error == std::errc::no_such_file_or_directory);
    error = co_await error_of(io::write_file_atomically("/dev/null", "x"));
    CHECK(error == std::errc::invalid_argument);
  });
}

TEST_CASE("who reads a file that is replaced again and again finds one content or the other") {
  run_with_files([](std::string place) -> coro<> {
    const std::string path = place + "/a";
    co_await io::write_file_atomically(path, std::string(50'000, 'a'));
    bool over = false;
    auto replace = [](std::string where, bool& ended) -> coro<> {
      for (int turn = 0; turn < 60; ++turn) {
        auto writing = create_task(
            io::write_file_atomically(where, std::string(50'000, turn % 2 == 0 ? 'b' : 'a')));
        if (turn % 3 == 0) {
          co_await sleep(std::chrono::microseconds(turn * 20));
          writing.cancel();
        }
        try {
          co_await writing;
        } catch (const cancelled&) {
        }
      }
      ended = true;
    };
    auto replacing = create_task(replace(path, over));
    std::size_t torn = 0;
    while (!over) {
      const io::bytes now = co_await io::read_file(path);
      if (now.size() != 50'000 ||
          now.text().find_first_not_of(now.text().front()) != std::string_view::npos)
        ++torn;
    }
    co_await replacing;
    CHECK(torn == 0);
  });
}

TEST_CASE("directories are made with those above them, listed and removed with all they hold") {
  run_with_files([](std::string place) -> coro<> {
    bool made = co_await io::make_directories(place + "/x/y/z/");
    CHECK(made);
    made = co_await io::make_directories(place + "/x/y/z");
    CHECK_FALSE(made);
    co_await io::write_file(place + "/x/file", "1");
    co_await io::write_file(place + "/kept", "1");
    REQUIRE(::symlink(place.c_str(), (place + "/x/y/out").c_str()) == 0);
    const auto entries = co_await io::list_directory(place + "/x");
    REQUIRE(entries.size() == 2);
    CHECK(entries[0].name == "file");
    CHECK(entries[0].kind == io::file_kind::regular);
    CHECK(entries[1].name == "y");
    CHECK(entries[1].kind == io::file_kind::directory);
    std::string text;
    std::error_code error =
        co_await error_of(dropped(io::make_directories(place + "/kept")), &text);
    CHECK(error == std::errc::file_exists);
    error = co_await error_of(dropped(io::make_directories(place + "/kept/x")), &text);
    CHECK(error == std::errc::not_a_directory);
    error = co_await error_of(io::remove_path(place + "/x"), &text);
    CHECK(error == std::errc::directory_not_empty);
    CHECK(text.find("removing '" + place + "/x'") != std::string::npos);
    const std::uint64_t removed = co_await io::remove_tree(place + "/x");
    CHECK(removed == 5);
    const std::uint64_t none = co_await io::remove_tree(place + "/x");
    CHECK(none == 0);
    bool there = co_await io::exists(place + "/kept");
    CHECK(there);
    co_await io::rename_path(place + "/kept", place + "/moved");
    there = co_await io::exists(place + "/kept");
    CHECK_FALSE(there);
    error = co_await error_of(io::rename_path(place + "/kept", place + "/x"), &text);
    CHECK(error == std::errc::no_such_file_or_directory);
    CHECK(text.find("renaming '" + place + "/kept' to '" + place + "/x'") != std::string::npos);
    error = co_await error_of(io::remove_path(place + "/none"));
    CHECK(error == std::errc::no_such_file_or_directory);
  });
}

TEST_CASE("a large directory is listed piece by piece, and as a whole up to a limit") {
  run_with_files([](std::string place) -> coro<> {
    for (int number = 0; number < 1000; ++number) {
      const std::string path = place + "/" + std::to_string(number);
      REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    }
    io::directory all = co_await io::open_directory(place);
    std::size_t seen = 0;
    std::size_t pieces = 0;
    for (auto some = co_await all.next(100); !some.empty(); some = co_await all.next(100)) {
      seen += some.size();
      ++pieces;
      CHECK(some.size() <= 100);
    }
    CHECK(seen == 1000);
    CHECK(pieces == 10);
    bool refused = false;
    try {
      co_await io::list_directory(place, 999);
    } catch (const io::too_long& error) {
      refused = std::string(error.what()).find("999 entries") != std::string::npos;
    }
    CHECK(refused);
    const auto whole = co_await io::list_directory(place, 1000);
    CHECK(whole.size() == 1000);
    std::error_code error = co_await error_of(dropped(io::open_directory(place + "/none")));
    CHECK(error == std::errc::no_such_file_or_directory);
    co_await io::write_file(place + "/file", "x");
    error = co_await error_of(dropped(io::list_directory(place + "/file")));
    CHECK(error == std::errc::not_a_directory);
  });
}

TEST_CASE("the status of a file says what it is, and nothing of one that is not there") {
  run_with_files([](std::string place) -> coro<> {
    co_await io::write_file(place + "/a", "12345");
    const io::file_status regular = co_await io::status_of(place + "/a");
    CHECK(regular.kind == io::file_kind::regular);
    CHECK(regular.size == 5);
    CHECK(regular.links == 1);
    CHECK(regular.modified > 1000h);
    const io::file_status none = co_await io::status_of(place + "/a/b");
    CHECK_FALSE(none.exists());
    CHECK_FALSE(none.same_file(none));
    const io::file_status device = co_await io::status_of("/dev/null");
    CHECK(device.kind == io::file_kind::device);
    const std::error_code error = co_await error_of(dropped(io::status_of(std::string("a\0b", 3))));
    CHECK(error == std::errc::invalid_argument);
  });
}

TEST_CASE("temporary files and directories go with their objects, unless they are kept") {
  std::string kept;
  std::string gone;
  auto body = [](std::string& kept_path, std::string& gone_path) -> coro<> {
    io::temporary stays = co_await io::temporary_directory();
    {
      io::temporary goes = co_await io::temporary_directory(stays.path());
      gone_path = goes.path();
      co_await io::make_directories(goes.path() + "/a/b");
      io::temporary file = co_await io::temporary_file(goes.path());
      const io::file_status about = co_await io::status_of(file.path());
      CHECK(about.permissions == 0600);
    }
    kept_path = stays.keep();
  };
  run_scenario(body(kept, gone));
  CHECK(::access(gone.c_str(), F_OK) != 0);
  REQUIRE(::rmdir(kept.c_str()) == 0);
  const auto error = [](std::string where) -> coro<> {
    co_await io::temporary_directory(std::move(where));
  };
  CHECK_THROWS_AS(run_scenario(error("/none/at/all")), std::system_error);
}

TEST_CASE("a tree may be removed by several at once") {
  run_with_files([](std::string place) -> coro<> {
    for (int round = 0; round < 30; ++round) {
      const std::string tree = place + "/tree";
      for (const char* const folder : {"/a/b", "/c"}) co_await io::make_directories(tree + folder);
      for (int each = 0; each < 20; ++each)
        co_await io::write_file(tree + "/a/" + std::to_string(each), "x");
      auto first = create_task(io::remove_tree(tree));
      auto second = create_task(io::remove_tree(tree));
      auto third = create_task(io::remove_tree(tree + "/a"));
      co_await first;
      co_await second;
      co_await third;
      const io::file_status none = co_await io::status_of(tree);
      CHECK_FALSE(none.exists());
    }
  });
}
