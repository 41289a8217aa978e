// Transports over others, which do with the bytes what happens to bytes: torn, late, without foreknowledge.
#pragma once

#include <troupe/io/transport.hpp>
#include <troupe/runtime/loop.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::testing {

using namespace std::chrono_literals;

/// Passes all on, and knows nothing of what a read would find, as a pipe or TLS do not.
class opaque : public io::transport {
 public:
  explicit opaque(std::unique_ptr<io::transport> below) noexcept : below_(std::move(below)) {}

  void attach(io::transport::listener& told) override { below_->attach(told); }
  io::transfer read(std::span<std::byte> into) noexcept override { return below_->read(into); }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    return below_->write(parts);
  }
  std::error_code end_writing() noexcept override { return below_->end_writing(); }
  bool finish() noexcept override { return below_->finish(); }
  void close(bool reset) noexcept override { below_->close(reset); }
  std::string local_name() const override { return below_->local_name(); }
  std::string peer_name() const override { return below_->peer_name(); }

 protected:
  io::transport& below() const noexcept { return *below_; }

 private:
  std::unique_ptr<io::transport> below_;
};

/// Moves at most so many bytes at a time.
class torn : public opaque {
 public:
  torn(std::unique_ptr<io::transport> below, std::size_t most) noexcept
      : opaque(std::move(below)), most_(most) {}

  io::transfer read(std::span<std::byte> into) noexcept override {
    return below().read(into.first(std::min(into.size(), most_)));
  }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    const std::span<const std::byte> first = parts[0].first(std::min(parts[0].size(), most_));
    return below().write({&first, 1});
  }
  outlook look() const noexcept override { return below().look(); }
  std::error_code failure() noexcept override { return below().failure(); }

 private:
  std::size_t most_;
};

/// Every second attempt comes too early, and there is a notice later.
class late : public opaque, private io::transport::listener {
 public:
  using opaque::opaque;
  ~late() override { notice_.cancel(); }

  void attach(io::transport::listener& told) override {
    told_ = &told;
    below().attach(*this);
  }
  io::transfer read(std::span<std::byte> into) noexcept override {
    return comes_too_early(reads_) ? io::transfer::none_now() : below().read(into);
  }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    return comes_too_early(writes_) ? io::transfer::none_now() : below().write(parts);
  }
  void close(bool reset) noexcept override {
    notice_.cancel();
    below().close(reset);
  }

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
  io::transport::listener* told_ = nullptr;
  timer_handle notice_;
  bool reads_ = false;
  bool writes_ = false;
};

}  // namespace troupe::testing
