#pragma once

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/visitor.hpp>
#include <troupe/runtime/work.hpp>

#include <cstdint>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {

/// Somebody who is told when a result is there.
struct observer {
  using function = void (*)(observer&) noexcept;
  explicit observer(function given) noexcept : notify(given) {}

  function notify;
  observer* previous = nullptr;
  observer* next = nullptr;
};

}  // namespace internal

/// What futures and tasks share: a result that comes once, and those who wait for it.
///
/// Life: counted by its handles and by whoever will complete it. The last one to let go destroys it; an error that nobody
/// has looked at is then reported.
/// Threads: its home loop's, but for the count.
class future_base : public work {
 public:
  enum class status : std::uint8_t { pending, value, error, cancelled };

  loop& home() const noexcept { return *home_; }
  bool done() const noexcept { return status_ != status::pending; }
  bool was_cancelled() const noexcept { return status_ == status::cancelled; }
  bool succeeded() const noexcept { return status_ == status::value; }

  /// Cancels; returns false when it is done already, and counts as a look at its error then. A future ends cancelled at once, a
  /// task when its coroutine does. `reason` is copied into the `cancelled` that is thrown.
  virtual bool cancel(std::string_view reason = {}) noexcept = 0;

  /// The error, `cancelled` among them, or null when it ended with a value. Looks at it: it is no longer reported. Pre: done.
  virtual std::exception_ptr error() noexcept = 0;

  /// This as a task, or null.
  virtual const task_base* as_task() const noexcept { return nullptr; }
  /// Calls `visit` for each future or task that this is made of, for debugging.
  virtual void each_part(const visitor<const future_base>&) const {}

  /// Calls `added.notify` when done, in the order of adding. Pre: not done.
  void add_observer(internal::observer& added) noexcept;
  /// Pre: `removed` was added and not notified.
  void remove_observer(internal::observer& removed) noexcept;
  /// Calls `visit(observer)` for each, until it returns false.
  template <class Function>
  void each_observer(Function visit) const {
    for (internal::observer* each = first_; each != nullptr;) {
      internal::observer* const following = each->next;
      if (!visit(*each)) return;
      each = following;
    }
  }

  void retain() noexcept { count_.add(); }
  void release() noexcept {
    if (count_.drop()) destroy();
  }

  /// Counts as a look at the error: it is not reported.
  void mark_retrieved() noexcept { retrieved_ = true; }

 protected:
  future_base(work::function run_function, loop& home, std::uint32_t count) noexcept
      : work(run_function), home_(&home), count_(count) {}
  virtual ~future_base() = default;

  virtual void destroy() noexcept = 0;

  /// Ends with `result` and notifies. Pre: pending; on the home loop.
  void complete(status result) noexcept;

  bool awaited() const noexcept { return first_ != nullptr; }
  std::uint32_t uses() const noexcept { return count_.value(); }

 private:
  loop* home_;
  internal::observer* first_ = nullptr;  ///< its `previous` is the last of them
  internal::ref_count count_;
  status status_ = status::pending;

 protected:
  bool retrieved_ = false;  ///< somebody has seen the result
  bool moved_out_ = false;  ///< somebody has taken the value away
};

namespace internal {

/// Hands the failure of a result that nobody looked at to the running loop's failure handler, and prints it where none runs.
void report_unseen(const failure_report& report) noexcept;

/// Errors: std::invalid_argument for a null.
void expect_error(const std::exception_ptr& error);
[[noreturn]] void throw_not_done();
[[noreturn]] void throw_moved_out();
[[noreturn]] void throw_of_another_loop();
/// Errors: `invalid_state` when `awaited` belongs to another loop than the running one.
inline void expect_of_this_loop(const future_base& awaited) {
  if (&awaited.home() != loop::current()) [[unlikely]]
    throw_of_another_loop();
}
std::exception_ptr cancelled_error(std::string_view reason);

/// Waits until a future or task is done. Cancelling the wait cancels what is waited for, as in asyncio.
class completion_wait : public suspension, private observer {
 public:
  explicit completion_wait(future_base& target) noexcept
      : observer(&completion_wait::on_done), target_(target) {}
  ~completion_wait() {
    if (!suspended()) return;
    if (waiting()) [[unlikely]]
      target_.remove_observer(*this);
    target_.release();
  }

  bool await_ready() const noexcept { return target_.done(); }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current()) {
    if (&target_.home() != loop::current()) [[unlikely]]
      throw_of_another_loop();
    // The handle that is awaited may be given another state before this resumes.
    target_.retain();
    target_.add_observer(*this);
    park(handle, here);
  }
  void check() {
    if (suspended()) finish();
  }
  bool cancel() noexcept override;
  void each_awaited(const visitor<const future_base>& visit) const override { visit(target_); }
  std::string_view what() const noexcept override { return "a future"; }
  /// The task whose wait `of` is, or null when it is something else.
  static const task_base* waiter_of(observer& of) noexcept {
    return of.notify == &completion_wait::on_done ? static_cast<completion_wait&>(of).waiter()
                                                  : nullptr;
  }

 protected:
  future_base& target() const noexcept { return target_; }

 private:
  static void on_done(observer& self) noexcept { static_cast<completion_wait&>(self).wake(); }
  future_base& target_;
};

/// A result of type `T` that comes once, on top of `Base`: `future_base`, or what has more to it.
template <class T, class Base = future_base>
class with_result : public Base {
 public:
  using value_type = typename outcome<T>::value_type;

  /// The result in place. Errors: the error; `cancelled`; `invalid_state` when not done, or moved out.
  value_type& get() {
    look();
    if (this->moved_out_) throw_moved_out();
    return result_.get();
  }
  /// The result for one of several that await it: a copy, or where `T` cannot be copied the value itself. Errors: as `get`.
  T share() {
    if constexpr (std::is_void_v<T>) {
      static_cast<void>(get());
    } else if constexpr (std::is_copy_constructible_v<T>) {
      return get();
    } else {
      value_type& value = get();
      this->moved_out_ = true;
      return std::move(value);
    }
  }
  /// The result for one that will not ask again, of `holders` handles: moved out if there are no others. Errors: as `get`.
  T take(std::uint32_t holders) {
    if constexpr (!std::is_void_v<T>) {
      if (this->uses() <= holders) {
        value_type& value = get();
        this->moved_out_ = true;
        return std::move(value);
      }
    }
    return share();
  }
  std::exception_ptr error() noexcept override {
    this->retrieved_ = true;
    if (result_.has_error()) return result_.error();
    return this->was_cancelled() ? cancelled_error({}) : nullptr;
  }
  /// As `error`, but Errors: `cancelled`; `invalid_state` when not done.
  std::exception_ptr exception() {
    if (!this->done()) throw_not_done();
    this->retrieved_ = true;
    if (this->was_cancelled()) std::rethrow_exception(error());
    return result_.has_error() ? result_.error() : nullptr;
  }

 protected:
  using Base::Base;

  bool unseen_error() const noexcept {
    return result_.has_error() && !this->retrieved_ && !this->was_cancelled();
  }
  /// Keeps `reason`, if there is one, for those who ask how this was cancelled.
  void keep_reason(std::string_view reason) noexcept {
    if (!reason.empty()) [[unlikely]]
      result_.set_error(cancelled_error(reason));
  }

  /// Completes with what is in `result_`.
  void complete_with_result() noexcept {
    this->complete(result_.has_error() ? future_base::status::error : future_base::status::value);
  }
  /// What `cancel` of one does that nothing is asked to stop for: it ends as cancelled, unless it is done.
  bool end_as_cancelled(std::string_view reason) noexcept {
    if (this->done()) {
      this->retrieved_ = true;
      return false;
    }
    keep_reason(reason);
    this->complete(future_base::status::cancelled);
    return true;
  }

  outcome<T> result_;  ///< of a cancelled one: empty, or the `cancelled` with its reason

 private:
  void look() {
    if (!this->done()) [[unlikely]]
      throw_not_done();
    this->retrieved_ = true;
    if (this->was_cancelled()) [[unlikely]]
      std::rethrow_exception(error());
  }
};

template <class T>
using typed_future = with_result<T>;

/// A future whose result another thread may make, in `arrived_`, and send home with it. Counted by its handles and by whoever
/// makes the result.
template <class T>
class arriving : public typed_future<T> {
 protected:
  explicit arriving(loop& home) noexcept : typed_future<T>(&arriving::arrive, home, 2) {}

  /// Gives what arrived to those who wait, at home. Gives up the count of who made it. Threads: any.
  void deliver() noexcept {
    if (loop::current() == &this->home()) {
      arrive(*this);
    } else {
      send_home();
    }
  }
  void send_home() noexcept {
    // A closed loop takes nothing, and with it are gone who could have read the result.
    if (!this->home().post(*this)) this->release();
  }
  static void arrive(work& item) noexcept {
    auto& self = static_cast<arriving&>(item);
    if (!self.done()) {
      self.result_.take_from(self.arrived_);
      self.complete_with_result();
    }
    self.release();
  }

  outcome<T> arrived_;
};

}  // namespace internal
}  // namespace troupe
