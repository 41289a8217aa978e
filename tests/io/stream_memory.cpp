// The contract of streams, over memory: as it is, a byte at a time, and late.
#include <troupe/io/memory.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "io/odd_transports.hpp"
#include "io/stream_contract.hpp"
#include "support/catch.hpp"

#include <memory>
#include <utility>

using namespace troupe;
using namespace troupe::testing::streams;
using troupe::testing::late;
using troupe::testing::torn;

namespace {

coro<ends> plain(io::stream_options options) { co_return io::memory_pair(1 << 16, options); }
coro<ends> narrow(io::stream_options options) { co_return io::memory_pair(1, options); }

coro<ends> in_bytes(io::stream_options options) {
  auto below = io::memory_transports();
  co_return ends(io::stream(std::make_unique<torn>(std::move(below.first), 1), options),
                 io::stream(std::make_unique<torn>(std::move(below.second), 1), options));
}

coro<ends> lately(io::stream_options options) {
  auto below = io::memory_transports();
  co_return ends(io::stream(std::make_unique<late>(std::move(below.first)), options),
                 io::stream(std::make_unique<late>(std::move(below.second)), options));
}

}  // namespace

TEST_CASE("a stream that is lost says which it was") {
  testing::run([]() -> coro<> {
    auto two = io::memory_pair(10);
    two.second.abort();
    std::string read;
    try {
      co_await two.first.read_some();
    } catch (const std::system_error& error) {
      read = error.what();
    }
    CHECK(read.starts_with("a stream to memory: "));
    std::string drained;
    try {
      co_await two.first.drain();
    } catch (const std::system_error& error) {
      drained = error.what();
    }
    CHECK(drained == read);
  }());
}

TEST_CASE("the contract of streams holds over memory") { testing::run(contract(plain)); }
TEST_CASE("the contract of streams holds over memory that takes a byte at a time") {
  testing::run(lines(narrow));
  testing::run(half_close(narrow, true, 20'000));
  testing::run(close_sends_all(narrow, true, 20'000));
  testing::run(slow_reader(narrow, 20'000));
}
TEST_CASE("the contract of streams holds when each attempt moves a byte at most") {
  testing::run(contract(in_bytes, {.much = 200'000, .size = 30'000}));
}
TEST_CASE("the contract of streams holds when every second attempt comes too early") {
  testing::run(contract(lately, {.much = 500'000}));
}
