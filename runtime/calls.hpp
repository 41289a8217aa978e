#pragma once

#include <troupe/runtime/context.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>
#include <troupe/runtime/work.hpp>

#include <new>
#include <utility>

namespace troupe {

class loop;
class task_base;

namespace internal {

/// What is running on this thread.
struct thread_state {
  loop* current_loop = nullptr;
  task_base* current_task = nullptr;
  context_data* context = nullptr;   ///< of what runs outside tasks; holds one count
  void* pending_transfer = nullptr;  ///< see coro.hpp
  int transfers_left = 0;
};
extern constinit thread_local thread_state this_thread;

/// Something of a loop that waits for what may never come, and is to go with the loop at the latest: a callback of a future, a
/// gather. Threads: the loop's.
class loop_bound {
 public:
  /// Told when the loop closes: lets go of what it waits for, and of itself. Unbinds.
  virtual void home_closes() noexcept = 0;

 protected:
  loop_bound() = default;
  ~loop_bound() { unbind(); }
  loop_bound(const loop_bound&) = delete;
  loop_bound& operator=(const loop_bound&) = delete;

  void bind(loop& home) noexcept;
  /// Does nothing when it is not bound.
  void unbind() noexcept;

 private:
  loop* bound_to_ = nullptr;
  loop_bound* bound_previous_ = nullptr;
  loop_bound* bound_next_ = nullptr;
};

/// A call that a loop has been asked to make. Counted: by the chain or timer that will make it, and by handles.
/// Threads: its loop's.
class scheduled_call : public work, public pooled {
 public:
  void retain() noexcept { ++count_; }
  void release() noexcept {
    if (--count_ == 0) delete this;
  }
  /// Makes sure that it is not made, and destroys what would have been called. Does nothing once it has been made.
  void cancel() noexcept;
  bool cancelled() const noexcept { return state_ == state::cancelled; }
  static bool is_one(const work& item) noexcept { return item.run == &scheduled_call::run_call; }

 protected:
  /// In the context of whoever makes it.
  scheduled_call() noexcept : work(&scheduled_call::run_call), context_(current_context()) {
    context_data::retain(context_);
  }
  virtual ~scheduled_call() { context_data::release(context_); }

  virtual void invoke() = 0;
  /// Destroys what `invoke` would call, if that has not happened.
  virtual void drop() noexcept = 0;
  /// Takes it out of a timer queue; whether it was in one.
  virtual bool disarm() noexcept { return false; }

 private:
  enum class state : unsigned char { waiting, running, over, cancelled };
  static void run_call(work& item) noexcept;

  unsigned count_ = 1;
  state state_ = state::waiting;
  context_data* context_;
};

/// One that waits for a moment.
class delayed_call : public scheduled_call, private timer {
 public:
  time_point when() const noexcept { return when_; }
  static void on_due(timer& due) noexcept;
  /// What a closing loop does with one whose time has not come.
  static void forget(timer& armed) noexcept;

 protected:
  delayed_call() noexcept : timer(&delayed_call::on_due) {}

 private:
  friend class troupe::loop;
  bool disarm() noexcept override;

  time_point when_{};
  loop* home_ = nullptr;
};

/// A call of a `Function`.
template <class Function, class Base>
class call_of final : public Base {
 public:
  explicit call_of(Function&& given) {
    ::new (static_cast<void*>(&function_)) Function(std::move(given));
  }

 private:
  ~call_of() override { drop(); }
  void invoke() override { static_cast<void>(function_()); }
  void drop() noexcept override {
    if (!std::exchange(held_, false)) return;
    function_.~Function();
  }

  union {
    Function function_;
  };
  bool held_ = true;
};

template <class Call>
class handle_of {
 public:
  /// Of no call.
  handle_of() noexcept = default;
  /// Takes over one count.
  explicit handle_of(Call& given) noexcept : call_(&given) {}
  handle_of(const handle_of& other) noexcept : call_(other.call_) {
    if (call_ != nullptr) call_->retain();
  }
  handle_of(handle_of&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  handle_of& operator=(handle_of other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~handle_of() {
    if (call_ != nullptr) call_->release();
  }

  /// Makes sure that the call is not made, and destroys its function now. Does nothing once it has been made.
  void cancel() const noexcept {
    if (call_ != nullptr) call_->cancel();
  }
  bool cancelled() const noexcept { return call_ != nullptr && call_->cancelled(); }

 protected:
  Call* call_ = nullptr;
};
}  // namespace internal

/// A call that was asked for by `call_soon`. Threads: its loop's; dropping it as well.
using call_handle = internal::handle_of<internal::scheduled_call>;

/// A call that was asked for by `call_later` or `call_at`. Threads: its loop's.
class timer_handle : public internal::handle_of<internal::delayed_call> {
 public:
  using handle_of::handle_of;
  /// When it is due; `time_point::max()` for a handle of no call.
  time_point when() const noexcept { return call_ != nullptr ? call_->when() : time_point::max(); }
};

}  // namespace troupe
