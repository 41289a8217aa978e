#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include <utility>

namespace troupe::testing {

/// A variable that tasks of a simulation share, whose every use is a step of its own: for models of algorithms, and of memory.
///
///     shared<int> count;
///     const int before = co_await count.read();
///     co_await count.write(before + 1);
template <class T>
class shared {
 public:
  shared() : shared(T{}) {}
  explicit shared(T initial)
      : value_(std::move(initial)),
        world_(simulation::current()),
        number_(world_ != nullptr ? world_->number_object() : 0) {}
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;

  coro<T> read() {
    co_await sleep(duration::zero());
    touched(false);
    co_return value_;
  }
  coro<> write(T value) {
    co_await sleep(duration::zero());
    touched(true);
    value_ = std::move(value);
  }
  /// Without a step, before and after everything.
  const T& peek() const noexcept { return value_; }

 private:
  void touched(bool changes) {
    if (world_ != nullptr) world_->touch(number_, changes);
  }
  T value_;
  simulation* world_;
  std::uint64_t number_;
};

}  // namespace troupe::testing
