#pragma once

#include <troupe/runtime/future_watch.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/queue.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timer.hpp>

#include <cstddef>
#include <optional>
#include <troupe/runtime/time.hpp>
#include <utility>
#include <vector>

namespace troupe {

namespace internal {

/// Puts the numbers of futures into a queue, in the order in which they are done, until a time limit ends the queue.
///
/// Threads: the loop that it was made on.
class completion_order : private future_watch, private timer {
 public:
  /// Errors: `invalid_state` off a loop.
  explicit completion_order(std::size_t room);
  ~completion_order() override { home_.timers().cancel(*this); }

  using future_watch::add;
  /// Begins. Pre: all were added.
  void begin(duration limit);

  /// The number of the next that is done. Errors: `timeout_error` when the time is up; `cancelled`.
  coro<std::size_t> next();

 private:
  void told(std::size_t number) noexcept override;
  static void on_due(timer& due) noexcept;

  queue<std::size_t> done_;
  loop& home_;
};

}  // namespace internal

/// The end of every `completions`.
struct end_of_completions {};

/// Tasks or futures in the order in which they are done; see `as_completed`.
template <class Handle>
class [[nodiscard]] completions {
  using value = typename Handle::value_type;

  struct state : internal::ref_count {
    state(std::vector<Handle> given, duration limit)
        : ref_count(1), handles(std::move(given)), order(handles.size()) {
      internal::keep_each_once(handles);
      left = handles.size();
      for (const Handle& each : handles) order.add(each.base());
      order.begin(limit);
    }
    std::vector<Handle> handles;
    internal::completion_order order;
    std::size_t left = 0;  ///< that `next` and the slots have not been asked for
  };
  /// A count of the state.
  class held {
   public:
    explicit held(state* given) noexcept : state_(given) {}
    held(const held& other) noexcept : state_(other.state_) { state_->add(); }
    held(held&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    held& operator=(held other) noexcept {
      std::swap(state_, other.state_);
      return *this;
    }
    ~held() {
      if (state_ != nullptr && state_->drop()) delete state_;
    }
    state* operator->() const noexcept { return state_; }

   private:
    state* state_;
  };

 public:
  completions(std::vector<Handle> handles, duration limit)
      : state_(new state(std::move(handles), limit)) {}

  /// The next one that is done, the same handle that was given; nothing after the last.
  /// Errors: `timeout_error` when the time is up; `cancelled`. Cancel: leaves the tasks alone.
  coro<std::optional<Handle>> next() { return next_of(state_); }

  /// A place in the order: awaiting it gives the value of the next one that is done, whichever place that is.
  class iterator {
   public:
    explicit iterator(completions& all) noexcept : all_(&all) {}
    /// Errors: what the task threw; `timeout_error` when the time is up.
    coro<value> operator*() const { return value_of(all_->state_); }
    iterator& operator++() noexcept {
      --all_->state_->left;
      return *this;
    }
    bool operator==(const end_of_completions&) const noexcept { return all_->state_->left == 0; }

   private:
    completions* all_;
  };
  /// As many places as there are tasks: `for (auto each : as_completed(tasks)) use(co_await each);`
  iterator begin() noexcept { return iterator(*this); }
  end_of_completions end() const noexcept { return {}; }
  std::size_t size() const noexcept { return state_->handles.size(); }

 private:
  static coro<std::optional<Handle>> next_of(held all) {
    if (all->left == 0) co_return std::nullopt;
    --all->left;
    const std::size_t number = co_await all->order.next();
    co_return all->handles[number];
  }
  static coro<value> value_of(held all) {
    const std::size_t number = co_await all->order.next();
    Handle& next = all->handles[number];
    co_return co_await next;
  }

  held state_;
};

/// Coroutines, which start now as tasks, tasks or futures, all of one type, in the order in which they are done:
///
///     auto each = as_completed(std::move(fetches));
///     while (auto done = co_await each.next()) use(done->result());
///
/// Errors: `invalid_state` off a loop; after `limit`, `timeout_error` at the await of the next.
template <internal::awaitable_source Source>
auto as_completed(std::vector<Source> sources, duration limit = infinite) {
  using handle = typename internal::awaited<Source>::handle;
  std::vector<handle> handles;
  handles.reserve(sources.size());
  for (Source& each : sources) handles.push_back(internal::awaited<Source>::from(std::move(each)));
  return completions<handle>(std::move(handles), limit);
}

}  // namespace troupe
