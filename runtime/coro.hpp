#pragma once

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/outcome.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <utility>

namespace troupe {

template <class T = void>
class coro;

namespace internal {

/// How one coroutine hands the thread to another.
///
/// Symmetric transfer is only a tail call where the compiler makes it one: clang always does, g++ 12 does at -O2 but not at
/// -O0, -O1 or under sanitizers, where every await then costs stack until the loop is reached. The preprocessor cannot tell
/// those apart, so with g++ a chain of transfers is cut after `transfer_limit`: the coroutine to run is left with the thread
/// and `resume`, at the bottom of the stack, runs it. No other work runs in between, so an await of a coroutine that does
/// not suspend is no suspension.
inline constexpr int transfer_limit = 64;

[[gnu::always_inline]] inline std::coroutine_handle<> transfer(
    std::coroutine_handle<> to) noexcept {
#if defined(__clang__)
  return to;
#else
  if (--this_thread.transfers_left > 0) [[likely]]
    return to;
  this_thread.pending_transfer = to.address();
  return std::noop_coroutine();
#endif
}

/// Runs a coroutine, and those it transfers to, until one suspends for good.
inline void resume(std::coroutine_handle<> handle) {
#if defined(__clang__)
  handle.resume();
#else
  for (;;) {
    this_thread.transfers_left = transfer_limit;
    handle.resume();
    void* const pending = this_thread.pending_transfer;
    if (pending == nullptr) [[likely]]
      return;
    this_thread.pending_transfer = nullptr;
    handle = std::coroutine_handle<>::from_address(pending);
  }
#endif
}

/// Tells the frames of `coro` from those of other kinds, where only an address is known.
inline constexpr std::uint32_t coro_mark = 0x74726f75;

struct promise_base : pooled {
  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
      return transfer(finished.promise().continuation);
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }

  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::source_location
      where;  ///< of the function; once it is awaited, of that await, in the frame that waits
  std::uint32_t mark = coro_mark;
};

/// The promise of a frame of `coro`, or null when it is of another kind. For debugging.
inline const promise_base* promise_at(std::coroutine_handle<> frame) noexcept {
  if (!frame || frame == std::noop_coroutine()) return nullptr;
  const auto& found = std::coroutine_handle<promise_base>::from_address(frame.address()).promise();
  return found.mark == coro_mark ? &found : nullptr;
}

void report_never_awaited(const std::source_location& made) noexcept;

template <class T>
struct coro_promise : promise_base {
  template <class U = T>
    requires std::convertible_to<U&&, T>
  void return_value(U&& value) {
    result.set_value(std::forward<U>(value));
  }
  void unhandled_exception() noexcept {
    result.clear();  // a destructor may throw after co_return
    result.set_error(std::current_exception());
  }

  outcome<T> result;
};

template <>
struct coro_promise<void> : promise_base {
  void return_void() noexcept { result.set_value(); }
  void unhandled_exception() noexcept {
    result.clear();
    result.set_error(std::current_exception());
  }

  outcome<void> result;
};

}  // namespace internal

/// A coroutine that has not run yet. It runs when it is awaited, as part of the task that awaits it, or when it is made
/// into a task of its own by `create_task`.
///
/// Life: awaited or given away at most once; a second use throws `invalid_state`. Dropping one that never ran destroys its
/// arguments and runs nothing.
/// Cancel: cancelling the awaiting task reaches whatever the innermost coroutine waits for.
/// Cost: one pooled allocation for the frame; an await of a ready child is some 5 ns and no suspension.
template <class T>
class [[nodiscard("a coro does nothing until it is awaited or made into a task")]] coro {
 public:
  struct promise_type : internal::coro_promise<T> {
    coro get_return_object(std::source_location here = std::source_location::current()) noexcept {
      static_assert(
          alignof(promise_type) <= internal::pool_granule,
          "a coroutine whose result needs more than 16-byte alignment: keep it behind a pointer");
      this->where = here;
      return coro(std::coroutine_handle<promise_type>::from_promise(*this));
    }
  };
  using handle_type = std::coroutine_handle<promise_type>;
  using value_type = T;

  coro(coro&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), started_(other.started_) {}
  coro& operator=(coro&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, nullptr);
      started_ = other.started_;
    }
    return *this;
  }
  ~coro() { reset(); }

  /// Errors: whatever the coroutine throws; `invalid_state` when it has been awaited before or was moved from.
  auto operator co_await() { return awaiter{begin()}; }

  /// Awaits the end without throwing what the coroutine throws: the outcome, which lives as long as this.
  auto ending() & { return end_awaiter{begin()}; }

  /// Gives up the frame. For `create_task` and its like.
  handle_type release() {
    if (!handle_) throw invalid_state("use of a coro that was moved from or given to a task");
    if (started_)
      throw invalid_state("use of a coro that was awaited before; call the function again");
    return std::exchange(handle_, nullptr);
  }

 private:
  struct awaiter {
    explicit awaiter(handle_type handle) noexcept : child(handle) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(
        std::coroutine_handle<> parent,
        std::source_location here = std::source_location::current()) const noexcept {
      child.promise().continuation = parent;
      child.promise().where = here;
      return internal::transfer(child);
    }
    T await_resume() const { return child.promise().result.take(); }

    handle_type child;
  };
  struct end_awaiter : awaiter {
    using awaiter::awaiter;
    internal::outcome<T>& await_resume() const noexcept { return this->child.promise().result; }
  };

  handle_type begin() {
    if (!handle_) throw invalid_state("await of a coro that was moved from or given to a task");
    if (started_)
      throw invalid_state("await of a coro that was awaited before; call the function again");
    started_ = true;
    return handle_;
  }
  explicit coro(handle_type handle) noexcept : handle_(handle) {}
  void reset() noexcept {
    if (!handle_) return;
    if (!started_) [[unlikely]]
      internal::report_never_awaited(handle_.promise().where);
    handle_.destroy();
    handle_ = nullptr;
  }

  handle_type handle_;
  bool started_ = false;
};

}  // namespace troupe
