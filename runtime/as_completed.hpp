#pragma once

#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/queue.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timer.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {

namespace internal {

/// Puts the numbers of futures into a queue, in the order in which they are done, until a time limit ends the queue.
///
/// Life: counted; plain numbers, for all who hold it are on one loop.
class completion_order {
 public:
  completion_order(const std::vector<future_base*>& targets, duration limit);
  ~completion_order();
  completion_order(const completion_order&) = delete;
  completion_order& operator=(const completion_order&) = delete;

  queue<std::size_t> done;

 private:
  struct watch final : observer {
    watch() noexcept : observer(&watch::on_done) {}
    static void on_done(observer& self) noexcept;
    future_base* target = nullptr;
    completion_order* order = nullptr;  ///< null when it does not observe
    std::size_t number = 0;
  };
  struct limit_timer : timer {
    explicit limit_timer(completion_order& given) noexcept
        : timer(&completion_order::on_due), order(given) {}
    completion_order& order;
  };
  static void on_due(timer& due) noexcept;
  void stop_watching() noexcept;

  std::vector<watch> watches_;
  std::size_t left_ = 0;
  limit_timer timer_;
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
    state(std::vector<Handle> given, const std::vector<future_base*>& targets, duration limit)
        : ref_count(1), handles(std::move(given)), order(targets, limit), left(handles.size()) {}
    std::vector<Handle> handles;
    internal::completion_order order;
    std::size_t left;  ///< that `next` and the slots have not been asked for
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
      : state_(make(std::move(handles), limit)) {}

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
  static held make(std::vector<Handle> handles, duration limit) {
    std::vector<Handle> unique;
    std::vector<future_base*> targets;
    for (Handle& each : handles) {
      bool known = false;
      for (const future_base* other : targets) known |= other == &each.base();
      if (known) continue;
      targets.push_back(&each.base());
      unique.push_back(std::move(each));
    }
    return held(new state(std::move(unique), targets, limit));
  }
  static coro<std::optional<Handle>> next_of(held all) {
    if (all->left == 0) co_return std::nullopt;
    --all->left;
    std::size_t number = 0;
    try {
      auto got = all->order.done.get();
      number = co_await got;
    } catch (const queue_shutdown&) {
      internal::throw_timeout();
    }
    co_return all->handles[number];
  }
  static coro<value> value_of(held all) {
    std::size_t number = 0;
    try {
      auto got = all->order.done.get();
      number = co_await got;
    } catch (const queue_shutdown&) {
      internal::throw_timeout();
    }
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
