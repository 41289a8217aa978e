#pragma once

#include <troupe/runtime/queue_waiters.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace troupe::internal {

/// A count of something that has `keep` and `let_go`.
template <class T>
class counted {
 public:
  counted() noexcept = default;
  /// Takes over a count.
  explicit counted(T* given) noexcept : held_(given) {}
  counted(const counted& other) noexcept : held_(other.held_) {
    if (held_ != nullptr) held_->keep();
  }
  counted(counted&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  counted& operator=(counted other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~counted() {
    if (held_ != nullptr) held_->let_go();
  }
  T* operator->() const noexcept { return held_; }
  T& operator*() const noexcept { return *held_; }
  T* get() const noexcept { return held_; }
  explicit operator bool() const noexcept { return held_ != nullptr; }

 private:
  T* held_ = nullptr;
};

/// A value that is read much more often than it changes, by any thread. Who reads has a version that nobody changes; a change
/// while somebody reads makes a new version. So nothing is sent, and nothing of the user's copied, under the lock.
template <class T>
class versioned {
  struct version {
    version() = default;
    explicit version(const T& given) : value(given) {}
    void keep() noexcept { count.fetch_add(1, std::memory_order_relaxed); }
    void let_go() noexcept {
      if (count.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
    T value{};
    std::atomic<std::uint32_t> count{1};
  };

 public:
  versioned() : newest_(new version) {}
  ~versioned() { pthread_mutex_destroy(&mutex_); }

  /// A version to read, for as long as it is held.
  class view {
   public:
    explicit view(counted<version> given) noexcept : held_(std::move(given)) {}
    const T& operator*() const noexcept { return held_->value; }
    const T* operator->() const noexcept { return &held_->value; }

   private:
    counted<version> held_;
  };
  view read() const noexcept {
    const queue_lock lock(mutex_);
    return view(newest_);
  }
  /// Calls `function` with the value, to be changed, under the lock; what is to be destroyed is to be moved out.
  template <class Function>
  auto change(Function function) {
    counted<version> old;  // goes when the lock has gone
    const queue_lock lock(mutex_);
    if (newest_->count.load(std::memory_order_acquire) != 1) {
      old = newest_;
      newest_ = counted<version>(new version(old->value));
    }
    return function(newest_->value);
  }

 private:
  mutable pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  counted<version> newest_;
};

}  // namespace troupe::internal
