#pragma once

#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/task.hpp>

#include <exception>
#include <source_location>
#include <string>
#include <troupe/runtime/time.hpp>
#include <utility>

namespace troupe {

namespace internal {

/// What a thread and a task on a loop share, whatever its type: whether the task has ended, and how to cancel it.
class remote_task {
 public:
  explicit remote_task(loop& home);
  virtual ~remote_task();
  remote_task(const remote_task&) = delete;
  remote_task& operator=(const remote_task&) = delete;

  void retain() noexcept { count_.add(); }
  void release() noexcept {
    if (count_.drop()) delete this;
  }

  /// Any thread. False when the time was up. Errors: `invalid_state` on a thread that runs a loop.
  bool wait(duration limit);
  bool done() const;
  /// Any thread. False when it has ended.
  bool cancel();
  bool was_cancelled() const noexcept { return cancelled_; }

 protected:
  /// On the loop: the task is there, or has ended; the result is in place.
  void began(task_base& made) noexcept;
  void ended(bool by_cancellation) noexcept;
  loop& home() const noexcept { return home_; }

 private:
  struct sync;
  ref_count count_{1};
  loop& home_;
  sync* sync_;
  task_base* task_ = nullptr;  ///< on the loop; holds one count until it has ended
  bool cancelled_ = false;
};

template <class T>
class typed_remote_task final : public remote_task {
 public:
  using remote_task::remote_task;

  /// Begins on the loop. Errors: `invalid_state` when it is closed.
  void start(coro<T> body, task_options options, std::source_location created_at) {
    home().call_soon_threadsafe([from = held(*this), body = std::move(body),
                                 name = std::string(options.name), options, created_at]() mutable {
      auto& self = *from.self;
      options.name = name;
      std::exception_ptr error;
      try {
        const task<T> made = create_task(self.home(), std::move(body), options, created_at);
        self.began(made.base());
        made.add_done_callback([end = held(self)](const task<T>& over) mutable {
          std::exchange(end.self, nullptr)->settle(over);
        });
      } catch (...) {
        error = std::current_exception();  // the body was used before
      }
      std::exchange(from.self, nullptr);
      if (error) {
        self.result_.set_error(std::move(error));
        self.ended(false);
      }
      self.release();
    });
  }

  T take() {
    if (was_cancelled()) throw cancelled{};
    return result_.take();
  }

 private:
  /// The loop's hold of it. Dropped by a loop that closes: nobody is to wait for ever.
  struct held {
    explicit held(typed_remote_task& given) noexcept : self(&given) { self->retain(); }
    held(held&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
    ~held() {
      if (self != nullptr) self->drop();
    }
    typed_remote_task* self;
  };

  void settle(const task<T>& over) noexcept {
    auto& state = over.base();
    if (!state.was_cancelled()) result_.set_from([&]() -> T { return state.take(3); });
    ended(state.was_cancelled());
    release();
  }
  /// The loop closed before it could begin or end.
  void drop() noexcept {
    ended(true);
    release();
  }

  outcome<T> result_;
};

}  // namespace internal

/// The result of a coroutine that runs on a loop, for a plain thread to wait for; see `run_coroutine_threadsafe`. asyncio gives a
/// concurrent.futures.Future.
/// Threads: any, one at a time.
template <class T>
class [[nodiscard]] thread_future {
 public:
  explicit thread_future(internal::typed_remote_task<T>& owned) noexcept : state_(&owned) {}
  thread_future(thread_future&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  thread_future& operator=(thread_future&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  /// Does not wait; the coroutine goes on.
  ~thread_future() {
    if (state_ != nullptr) state_->release();
  }

  /// Blocks until it has ended and moves the result out.
  /// Errors: what the coroutine throws; `cancelled`, also when the loop closed before; `timeout_error` when `limit` has passed,
  /// which leaves it as it is; `invalid_state` on a thread that runs a loop.
  T get(duration limit = infinite) {
    if (!checked().wait(limit)) internal::throw_timeout();
    return checked().take();
  }
  bool done() const { return checked().done(); }
  /// Cancels the task on its loop. False when it has ended.
  bool cancel() { return checked().cancel(); }

 private:
  internal::typed_remote_task<T>& checked() const {
    if (state_ == nullptr) throw invalid_state("use of a thread_future that was moved from");
    return *state_;
  }
  internal::typed_remote_task<T>* state_;
};

/// Runs `body` as a task of `home`, from a thread that does not run that loop.
/// Errors: `invalid_state` when the loop is closed; `body` is destroyed then.
template <class T>
thread_future<T> run_coroutine_threadsafe(
    coro<T> body, loop& home, task_options options = {},
    std::source_location created_at = std::source_location::current()) {
  auto* const made = new internal::typed_remote_task<T>(home);
  thread_future<T> result(*made);
  made->start(std::move(body), options, created_at);
  return result;
}

}  // namespace troupe
