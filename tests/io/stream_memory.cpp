// The contract of streams, over memory: as it is, a byte at a time, and late.
#include <troupe/io/memory.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "io/stream_contract.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <memory>
#include <utility>

using namespace troupe;
using namespace troupe::testing::streams;

namespace {

coro<ends> plain(io::stream_options options) { co_return io::memory_pair(1 << 16, options); }
coro<ends> narrow(io::stream_options options) { co_return io::memory_pair(1, options); }

/// Moves at most so many bytes at a time.
class torn final : public io::transport {
 public:
  torn(std::unique_ptr<io::transport> below, std::size_t most) noexcept
      : below_(std::move(below)), most_(most) {}

  void attach(listener& told) override { below_->attach(told); }
  io::transfer read(std::span<std::byte> into) noexcept override {
    return below_->read(into.first(std::min(into.size(), most_)));
  }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    const std::span<const std::byte> first = parts[0].first(std::min(parts[0].size(), most_));
    return below_->write({&first, 1});
  }
  std::error_code end_writing() noexcept override { return below_->end_writing(); }
  void close(bool reset) noexcept override { below_->close(reset); }
  std::string local_name() const override { return below_->local_name(); }
  std::string peer_name() const override { return below_->peer_name(); }

 private:
  std::unique_ptr<io::transport> below_;
  std::size_t most_;
};

coro<ends> in_bytes(io::stream_options options) {
  auto below = io::memory_transports();
  co_return ends(io::stream(std::make_unique<torn>(std::move(below.first), 1), options),
                 io::stream(std::make_unique<torn>(std::move(below.second), 1), options));
}

/// Every second attempt comes too early, and there is a notice later.
class late final : public io::transport, private io::transport::listener {
 public:
  explicit late(std::unique_ptr<io::transport> below) noexcept : below_(std::move(below)) {}
  ~late() override { notice_.cancel(); }

  void attach(io::transport::listener& told) override {
    told_ = &told;
    below_->attach(*this);
  }
  io::transfer read(std::span<std::byte> into) noexcept override {
    return comes_too_early(reads_) ? io::transfer::none_now() : below_->read(into);
  }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    return comes_too_early(writes_) ? io::transfer::none_now() : below_->write(parts);
  }
  std::error_code end_writing() noexcept override { return below_->end_writing(); }
  void close(bool reset) noexcept override {
    notice_.cancel();
    below_->close(reset);
  }
  std::string local_name() const override { return below_->local_name(); }
  std::string peer_name() const override { return below_->peer_name(); }

 private:
  void on_ready() noexcept override { told_->on_ready(); }
  bool comes_too_early(bool& turn) {
    turn = !turn;
    if (turn) {
      notice_.cancel();
      notice_ = loop::current()->call_later(1ms, [this] { told_->on_ready(); });
    }
    return turn;
  }
  std::unique_ptr<io::transport> below_;
  io::transport::listener* told_ = nullptr;
  timer_handle notice_;
  bool reads_ = false;
  bool writes_ = false;
};

coro<ends> lately(io::stream_options options) {
  auto below = io::memory_transports();
  co_return ends(io::stream(std::make_unique<late>(std::move(below.first)), options),
                 io::stream(std::make_unique<late>(std::move(below.second)), options));
}

}  // namespace

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
