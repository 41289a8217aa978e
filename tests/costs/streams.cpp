// What streams cost in memory: a round of an echo takes nothing when it reads into its own buffer, else one block; what is made for the rare
// case, such as an error or a queue of what is unsent, is made when it comes.
#include <troupe/io/stream.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/troupe.hpp>

#include "costs/counting.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Has sixty-four bytes to read after each notice, and takes what is written.
class chatty final : public io::transport, public internal::pooled {
 public:
  explicit chatty(chatty*& at) noexcept { at = this; }

  void attach(listener& told) override { told_ = &told; }
  io::transfer read(std::span<std::byte> into) noexcept override {
    if (!std::exchange(there_, false)) return io::transfer::none_now();
    const std::size_t count = std::min<std::size_t>(into.size(), 64);
    std::fill_n(into.begin(), count, std::byte{'x'});
    return {count, {}};
  }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    for (const auto& part : parts) written_ += part.size();
    return {parts[0].size(), {}};
  }
  std::error_code end_writing() noexcept override { return {}; }
  void close(bool) noexcept override {}
  std::string local_name() const override { return "here"; }
  std::string peer_name() const override { return "there"; }

  void notify() noexcept {
    there_ = true;
    told_->on_ready();
  }
  std::size_t written() const noexcept { return written_; }

 private:
  listener* told_ = nullptr;
  bool there_ = false;
  std::size_t written_ = 0;
};

coro<> echo_bytes(io::stream with) {
  for (;;) {
    io::bytes got = co_await with.read_some();
    with.write(std::move(got));
    co_await with.drain();
  }
}

coro<> echo_buffer(io::stream with) {
  std::array<std::byte, 128> buffer;
  for (;;) {
    const std::size_t got = co_await with.read_some(std::span(buffer));
    with.write(std::span<const std::byte>(buffer.data(), got));
    co_await with.drain();
  }
}

/// What a round of `serve` costs.
cost of_a_round(coro<> (*serve)(io::stream)) {
  auto body = [](coro<> (*given)(io::stream)) -> coro<cost> {
    chatty* wire = nullptr;
    auto serving = create_task(given(io::stream(std::make_unique<chatty>(wire))));
    co_await sleep(1ms);
    // A notice comes outside of any task.
    const auto rounds = [&](int count) -> coro<> {
      for (int round = 0; round < count; ++round) {
        const std::size_t before = wire->written();
        static_cast<void>(loop::current()->call_soon([wire] { wire->notify(); }));
        co_await sleep(0s);
        co_await sleep(0s);
        REQUIRE(wire->written() == before + 64);
      }
    };
    const cost each = co_await cost_of(rounds);
    serving.cancel();
    co_return each;
  };
  return testing::run(body(serve));
}

}  // namespace

TEST_CASE("a round of an echo over a stream takes no memory when it reads into its own buffer") {
  const cost each = of_a_round(echo_buffer);
  CAPTURE(each);
  // The block is the call that brings the notice.
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("a round of an echo over a stream that is handed bytes takes blocks of the pool only") {
  const cost each = of_a_round(echo_bytes);
  CAPTURE(each);
  // One for the bytes, one for the next read, which finds nothing and gives it back, one for the call that brings the notice.
  CHECK(costs(each, {.blocks = 3}));
}

TEST_CASE("a stream that is made, written to and dropped takes one block beside its transport") {
  auto body = []() -> coro<cost> {
    const auto lives = [](int count) -> coro<> {
      for (int times = 0; times < count; ++times) {
        chatty* wire = nullptr;
        io::stream made(std::make_unique<chatty>(wire));
        made.write("something");
        REQUIRE(wire->written() == 9);
      }
      co_return;
    };
    co_return co_await cost_of(lives);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 2}));
}
