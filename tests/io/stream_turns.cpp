// A stream that never has to wait leaves the others of its loop their turns.
#include <troupe/io/stream.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/runtime/timeout.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Always has as much as a socket's buffer, in numbered bytes, `size` of them in all; takes all that is written.
class endless final : public io::transport {
 public:
  explicit endless(std::size_t size = std::numeric_limits<std::size_t>::max()) : left_(size) {}

  void attach(listener&) override {}
  io::transfer read(std::span<std::byte> into) noexcept override {
    const std::size_t count = std::min({into.size(), left_, std::size_t{1} << 16});
    for (std::byte& each : into.first(count)) each = static_cast<std::byte>(next_++ % 251);
    left_ -= count;
    return {count, {}};
  }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    std::size_t all = 0;
    for (const auto& part : parts) all += part.size();
    return {all, {}};
  }
  std::error_code end_writing() noexcept override { return {}; }
  void close(bool) noexcept override {}
  std::string local_name() const override { return "here"; }
  std::string peer_name() const override { return "nowhere"; }

 private:
  std::size_t left_;
  std::size_t next_ = 0;
};

io::stream over_endless(std::size_t size = std::numeric_limits<std::size_t>::max()) {
  return io::stream(std::make_unique<endless>(size));
}

/// Has ten turns, and says so.
coro<> another(bool& done) {
  for (int turn = 0; turn < 10; ++turn) co_await sleep(0s);
  done = true;
}

}  // namespace

TEST_CASE("a reader whose peer always sends leaves the others their turn") {
  struct scene {
    static coro<> run() {
      io::stream from = over_endless();
      bool done = false;
      auto other = create_task(another(done));
      std::size_t reads = 0;
      for (; !done && reads < 100'000; ++reads) {
        const io::bytes got = co_await from.read_some(100);
        REQUIRE(got.size() == 100);
      }
      CHECK(done);
      CHECK(reads < 500);
      CHECK(reads >= 100);  // but it is not made to wait for each
      co_await other;
    }
  };
  testing::run(scene::run());
}

TEST_CASE("one long read whose bytes are all there leaves the others their turn") {
  struct scene {
    static coro<> run() {
      constexpr std::size_t size = std::size_t{1} << 26;
      io::stream from = over_endless(2 * size);
      bool done = false;
      auto other = create_task(another(done));
      const io::bytes first = co_await from.read_exactly(size);
      CHECK(first.size() == size);
      CHECK(done);
      done = false;
      auto again = create_task(another(done));
      const io::bytes rest = co_await from.read_all();
      CHECK(rest.size() == size);
      CHECK(done);
      bool right = true;
      for (std::size_t index = 0; index < size; ++index) {
        right = right && rest.data()[index] == static_cast<std::byte>((size + index) % 251);
      }
      CHECK(right);
      co_await other;
      co_await again;
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a read that is cancelled while others have their turn loses nothing") {
  struct scene {
    static coro<> run() {
      io::stream peer = over_endless();
      std::size_t next = 0;
      std::size_t late = 0;
      for (int count = 0; count < 1'000; ++count) {
        io::bytes got;
        try {
          got = co_await timeout(0s, [](io::stream& from) -> coro<io::bytes> {
            io::bytes read = co_await from.read_exactly(7);
            co_return read;
          }(peer));
        } catch (const timeout_error&) {
          ++late;
        }
        for (const std::byte each : got.span())
          REQUIRE(each == static_cast<std::byte>(next++ % 251));
        if (count % 3 == 0) co_await sleep(0s);
      }
      CHECK(late > 0);
      CHECK(next > 1'000);
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a stream that goes while its reader lets others have their turn ends that reader") {
  struct scene {
    static coro<std::string> read(io::stream& from) {
      try {
        const io::bytes all = co_await from.read_all();
      } catch (const invalid_state& error) {
        co_return error.what();
      }
      co_return "read all";
    }
    static coro<> run() {
      auto peer = std::make_unique<io::stream>(over_endless());
      auto reading = create_task(read(*peer));
      for (int turn = 0; turn < 5; ++turn) co_await sleep(0s);
      CHECK_FALSE(reading.done());
      peer.reset();
      const std::string how = co_await reading;
      CHECK(how == "a stream went while a task waited for it");
    }
  };
  testing::run(scene::run());
}

TEST_CASE(
    "closing a stream whose reader lets others have their turn gives that reader what it has") {
  struct scene {
    static coro<std::size_t> read(io::stream& from) {
      const io::bytes all = co_await from.read_all();
      co_return all.size();
    }
    static coro<> run() {
      io::stream peer = over_endless();
      auto reading = create_task(read(peer));
      for (int turn = 0; turn < 5; ++turn) co_await sleep(0s);
      peer.close();
      const std::size_t size = co_await reading;
      CHECK(size > 0);
    }
  };
  testing::run(scene::run());
}
