// The simulated disk beside the system's: whatever is done to both gives the same.
#include <troupe/io/file.hpp>
#include <troupe/io/file_system.hpp>
#include <troupe/io/testing/disk.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "support/catch.hpp"
#include "support/random_numbers.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace troupe;

namespace {

constexpr const char* names[] = {"a", "b", "d", "d/a", "d/e", "d/e/f", "a/x", "none/x"};

/// Does this and that to files below a directory, and writes down what came of it.
class busy {
 public:
  busy(std::string below, std::uint64_t seed) : below_(std::move(below)), draws_(seed) {}

  coro<std::vector<std::string>> run(int operations) {
    for (int done = 0; done < operations; ++done) {
      std::string what;
      try {
        what = co_await one();
      } catch (const std::system_error& error) {
        what = last_ + ": error " + std::to_string(error.code().value());
      }
      story_.push_back(std::move(what));
    }
    opened_.reset();
    for (const std::string each : names) {
      const io::file_status found = co_await io::status_of(below_ + "/" + each);
      std::string line = each + " " + std::to_string(static_cast<int>(found.kind));
      if (found.kind == io::file_kind::regular) {
        const io::bytes all = co_await io::read_file(below_ + "/" + each);
        line += " " + std::string(all.text());
      }
      story_.push_back(std::move(line));
    }
    co_return story_;
  }

 private:
  std::size_t draw(std::size_t below) { return draws_.below(below); }
  std::string name() { return names[draw(std::size(names))]; }
  std::string text() { return std::string(draw(20), static_cast<char>('a' + draw(26))); }
  void mark(std::string what) { last_ = std::move(what); }

  coro<std::string> one() {
    const std::size_t which = draw(opened_ ? 18 : 9);
    if (which < 9) return by_name(which);
    return on_opened(which);
  }

  coro<std::string> by_name(std::size_t which) {
    const std::string first = name();
    const std::string path = below_ + "/" + first;
    if (which == 0) {
      mark("rename " + first);
      const std::string second = name();
      co_await io::rename_path(path, below_ + "/" + second);
      co_return last_ + " to " + second;
    }
    if (which == 1) {
      mark("remove " + first);
      co_await io::remove_path(path);
      co_return last_;
    }
    if (which == 2) {
      mark("make " + first);
      const bool made = co_await io::make_directories(path);
      co_return last_ + (made ? " new" : " old");
    }
    if (which == 3) {
      mark("list " + first);
      std::string found;
      const auto all = co_await io::list_directory(path);
      for (const io::directory_entry& each : all)
        found += " " + each.name + std::to_string(static_cast<int>(each.kind));
      co_return last_ + found;
    }
    if (which == 4) {
      mark("write " + first);
      co_await io::write_file(path, text());
      co_return last_;
    }
    if (which == 5) {
      mark("replace " + first);
      co_await io::write_file_atomically(path, text());
      co_return last_;
    }
    if (which == 6) {
      mark("read " + first);
      const io::bytes all = co_await io::read_file(path);
      co_return last_ + " " + std::string(all.text());
    }
    if (which == 7) {
      mark("remove all of " + first);
      const std::uint64_t removed = co_await io::remove_tree(path);
      co_return last_ + " " + std::to_string(removed);
    }
    mark("open " + first);
    io::open_options how;
    const std::size_t flags = draw(64);
    how.read = (flags & 1) != 0;
    how.write = !how.read || (flags & 2) != 0;
    how.append = (flags & 4) != 0 && how.write;
    how.create = (flags & 8) != 0;
    how.truncate = (flags & 16) != 0 && how.write;
    how.exclusive = (flags & 32) != 0 && how.create;
    opened_.reset();
    opened_.emplace(co_await io::open_file(path, how));
    co_return last_;
  }

  coro<std::string> on_opened(std::size_t which) {
    io::file& file = *opened_;
    try {
      if (which == 9 || which == 10) {
        mark("file.write");
        co_await file.write(io::bytes(text()));
      } else if (which == 11) {
        mark("file.read");
        const io::bytes some = co_await file.read(draw(10));
        co_return last_ + " " + std::string(some.text());
      } else if (which == 12) {
        mark("file.read_at");
        const std::size_t at = draw(40);
        const io::bytes some = co_await file.read_at(at, draw(10));
        co_return last_ + " " + std::string(some.text());
      } else if (which == 13) {
        mark("file.write_at");
        const std::size_t at = draw(40);
        co_await file.write_at(at, io::bytes(text()));
      } else if (which == 14) {
        mark("file.append");
        co_await file.append(io::bytes(text()));
      } else if (which == 15) {
        mark("file.truncate");
        co_await file.truncate(draw(40));
      } else if (which == 16) {
        mark("file.seek");
        file.seek(draw(40));
      } else {
        mark("file.flush");
        co_await file.flush();
        const std::uint64_t size = co_await file.size();
        co_return last_ + " " + std::to_string(size);
      }
    } catch (const invalid_state&) {
      co_return last_ + ": not opened for that";
    }
    co_return last_ + " at " + std::to_string(file.tell());
  }

  std::string below_;
  testing::random_numbers draws_;
  std::optional<io::file> opened_;
  std::string last_;
  std::vector<std::string> story_;
};

coro<std::vector<std::string>> on_the_systems(std::uint64_t seed) {
  const io::temporary scratch = co_await io::temporary_directory();
  busy all(scratch.path(), seed);
  co_return co_await all.run(100);
}

coro<std::vector<std::string>> on_a_simulated(testing::simulation& world, std::uint64_t seed) {
  testing::disk store(world);
  store.put_directory("/below");
  busy all("/below", seed);
  co_return co_await all.run(100);
}

}  // namespace

TEST_CASE("whatever is done to files gives the same on a simulated disk as on the system's") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    const std::vector<std::string> real = testing::run(on_the_systems(seed));
    testing::first_come natural;
    testing::simulation world(natural);
    const std::vector<std::string> simulated = world.run(on_a_simulated(world, seed));
    REQUIRE(simulated.size() == real.size());
    for (std::size_t index = 0; index < real.size(); ++index) {
      INFO("after " << (index != 0 ? real[index - 1] : "nothing"));
      REQUIRE(simulated[index] == real[index]);
    }
  }
}
