// The contract of streams over TLS over memory: as it is, narrow, a byte at a time, and late.
#include <troupe/runtime/testing/virtual_time.hpp>

#include "io/odd_transports.hpp"
#include "io/tls/support.hpp"
#include "support/catch.hpp"

#include <memory>
#include <utility>

using namespace troupe;
using namespace troupe::testing::streams;
using troupe::testing::late;
using troupe::testing::torn;

namespace {

/// TLS over two transports, each behind something when `between` makes it.
template <class... Between>
coro<ends> over(std::size_t capacity, io::stream_options options, io::tls_context client) {
  auto below = io::memory_transports(capacity);
  ((below = std::pair(std::unique_ptr<io::transport>(new Between(std::move(below.first))),
                      std::unique_ptr<io::transport>(new Between(std::move(below.second))))),
   ...);
  io::stream first(std::move(below.first), options);
  io::stream second(std::move(below.second), options);
  auto securing = testing::tls::secured(std::move(first), std::move(second), std::move(client));
  co_return co_await std::move(securing);
}

struct a_byte final : torn {
  explicit a_byte(std::unique_ptr<io::transport> below) : torn(std::move(below), 1) {}
};

io::tls_context tls12() {
  return io::tls_context(io::tls_client().trust(testing::tls::authority().trusted()));
}

coro<ends> plain(io::stream_options options) { return over<>(1 << 16, options, tls12()); }
coro<ends> narrow(io::stream_options options) { return over<>(1, options, tls12()); }
coro<ends> in_bytes(io::stream_options options) { return over<a_byte>(1 << 16, options, tls12()); }
coro<ends> lately(io::stream_options options) { return over<late>(1 << 16, options, tls12()); }

}  // namespace

TEST_CASE("the contract of streams holds over TLS") { testing::run(contract(plain)); }
TEST_CASE("the contract of streams holds over TLS over memory that takes a byte at a time") {
  testing::run(lines(narrow));
  testing::run(half_close(narrow, true, 20'000));
  testing::run(close_sends_all(narrow, true, 20'000));
  testing::run(slow_reader(narrow, 100'000));
}
TEST_CASE("the contract of streams holds over TLS when each attempt moves a byte at most") {
  testing::run(contract(in_bytes, {.much = 200'000, .size = 30'000}));
}
TEST_CASE("the contract of streams holds over TLS when every second attempt comes too early") {
  testing::run(contract(lately, {.much = 500'000}));
}
