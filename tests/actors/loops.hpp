// What the tests of actors on several loops share. They are in real time: they wait for an end and depend on no speed.
// In a namespace of its own, for other tests have other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>

#include "actors/helpers.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing::loops {

struct number {
  int value;
};
struct parcel {
  std::unique_ptr<std::string> content;
};
struct collect {
  using reply = std::vector<int>;
};
struct where {
  using reply = std::size_t;
};
struct wait_for_ever {
  using reply = int;
};
struct crash {
  using reply = int;
};
struct refuse {
  using reply = int;
};
using remote_protocol = protocol<number, parcel, collect, where, wait_for_ever, crash, refuse>;

class collector : public actor<remote_protocol> {
 public:
  void on(number n) { seen_.push_back(n.value); }
  void on(parcel p) { seen_.push_back(static_cast<int>(p.content->size())); }
  std::vector<int> on(collect) { return seen_; }
  std::size_t on(where) { return loop::current()->index(); }
  coro<int> on(wait_for_ever) {
    co_await sleep(infinite);
    co_return 0;
  }
  int on(crash) { throw std::runtime_error("boom"); }
  int on(refuse) { throw rejected("no"); }

 private:
  std::vector<int> seen_;
};

/// Whether these are the numbers from 0 up to `count`.
inline bool in_order(const std::vector<int>& seen, int count) {
  if (seen.size() != static_cast<std::size_t>(count)) return false;
  for (int index = 0; index < count; ++index) {
    if (seen[static_cast<std::size_t>(index)] != index) return false;
  }
  return true;
}

/// Counts failures reported on any loop.
class failure_count {
 public:
  failure_handler handler() {
    return [this](const failure_report& report) {
      const std::scoped_lock lock(mutex_);
      text_ +=
          report.message + (report.error ? ": " + describe(report.error) : std::string()) + '\n';
      ++count_;
    };
  }
  int count() const { return count_; }
  bool mentions(std::string_view text) const { return text_.find(text) != std::string::npos; }

 private:
  std::mutex mutex_;
  std::string text_;
  std::atomic<int> count_{0};
};

/// Counts how many of something live, whatever loop they live on.
class counted_anywhere {
 public:
  explicit counted_anywhere(std::atomic<int>& alive) noexcept : alive_(&alive) { ++*alive_; }
  counted_anywhere(const counted_anywhere& other) noexcept : alive_(other.alive_) { ++*alive_; }
  counted_anywhere& operator=(const counted_anywhere&) = delete;
  ~counted_anywhere() { --*alive_; }

 private:
  std::atomic<int>* alive_;
};

/// Notes when it ends; has children on the other loop down to some depth.
class branch : public actor<protocol<where>> {
 public:
  branch(int depth, std::atomic<int>& alive) : here_(alive) {
    if (depth == 0) return;
    for (std::size_t index = 0; index < 3; ++index) {
      spawn<branch>(place::on((loop::current()->index() + index) % 2), depth - 1, std::ref(alive));
    }
  }
  std::size_t on(where) { return loop::current()->index(); }
  coro<> on_stop() { co_await sleep(0s); }

 private:
  counted_anywhere here_;
};

}  // namespace troupe::testing::loops
