#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/future_base.hpp>
#include <troupe/runtime/memory.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {

/// A callback of the user's, run in the round after the one in which `target` ended.
template <class Handle>
class done_call final : public observer, public scheduled_call, private loop_bound {
 public:
  using function = callable<void(const Handle&)>;
  done_call(typename Handle::state& target, function given)
      : observer(&done_call::on_done), target_(target), function_(std::move(given)) {
    target.retain();
    bind(target.home());
  }
  ~done_call() override { drop(); }

  /// Takes out those that hold `wanted`; returns how many.
  static std::size_t remove(future_base& target, const function& wanted) noexcept {
    std::size_t removed = 0;
    target.each_observer([&](observer& each) {
      if (each.notify != &done_call::on_done) return true;
      auto& call = static_cast<done_call&>(each);
      if (call.function_ == wanted) {
        target.remove_observer(call);
        call.release();
        ++removed;
      }
      return true;
    });
    return removed;
  }

 private:
  static void on_done(observer& self) noexcept {
    auto& call = static_cast<done_call&>(self);
    call.unbind();
    call.target_.home().push(call);
  }
  void home_closes() noexcept override {
    target_.remove_observer(*this);
    unbind();
    this->release();
  }
  void invoke() override { function_(Handle(call_target())); }
  void drop() noexcept override {
    function_ = {};
    if (std::exchange(holds_, false)) target_.release();
  }
  /// The state with one more count.
  typename Handle::state& call_target() noexcept {
    target_.retain();
    return target_;
  }

  typename Handle::state& target_;
  function function_;
  bool holds_ = true;  ///< a count of the target
};

/// What handles of futures and tasks share. `State` is what they hold a count of.
template <class T, class State>
class result_handle {
 public:
  using state = State;
  using value_type = T;

  /// Takes over one count of `owned`.
  explicit result_handle(State& owned) noexcept : state_(&owned) {}
  result_handle(const result_handle& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->retain();
  }
  result_handle(result_handle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  result_handle& operator=(result_handle other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~result_handle() {
    if (state_ != nullptr) state_->release();
  }

  bool done() const { return checked().done(); }
  /// True when it ended by cancellation.
  bool cancelled() const { return checked().was_cancelled(); }
  /// Asks it to end as cancelled; returns false when it was done. See `future_base::cancel` and `task_base::cancel`.
  bool cancel(std::string_view reason = {}) const { return checked().cancel(reason); }

  /// The value, in place. Errors: the result's error; `cancelled`; `invalid_state` when not done, or moved out.
  decltype(auto) result() const {
    if constexpr (std::is_void_v<T>) {
      static_cast<void>(checked().get());
    } else {
      return checked().get();
    }
  }
  /// The error, or null after a success. Errors: `cancelled`; `invalid_state` when not done.
  std::exception_ptr exception() const { return checked().exception(); }

  /// The shared state, for code that combines futures.
  State& base() const { return checked(); }
  /// Whether both are handles of the same one.
  friend bool operator==(const result_handle& a, const result_handle& b) noexcept {
    return a.state_ == b.state_;
  }

 protected:
  State& checked() const {
    if (state_ == nullptr) [[unlikely]]
      throw invalid_state("use of a handle of a task or future that was moved from");
    return *state_;
  }

  /// Adds `function`, taken as `Handle`'s callback.
  template <class Handle>
  void add_callback(typename done_call<Handle>::function function) const {
    checked().home().expect_open();
    auto* const call = new done_call<Handle>(checked(), std::move(function));
    if (checked().done()) {
      call->notify(*call);
    } else {
      checked().add_observer(*call);
    }
  }

  State* state_;
};

/// Awaits a state by a handle: `Last` when the handle will not be used again.
template <class T, class State, bool Last>
class result_wait : public completion_wait {
 public:
  explicit result_wait(State& target) noexcept : completion_wait(target) {}
  T await_resume() {
    check();
    auto& state = static_cast<State&>(target());
    if constexpr (Last) {
      return state.take(suspended() ? 2 : 1);
    } else {
      return state.share();
    }
  }
};

}  // namespace internal

template <class T>
class promise;

/// One result that comes later: the reading end of a `promise`, or the answer to an ask. Handles are counted; copies are of the
/// same future.
///
/// `co_await f` gives everybody who awaits the same value, copied (where it can be copied; else the first takes it);
/// `co_await std::move(f)`, as for any temporary, moves it out when this is the only handle.
/// Threads: the loop that it was made on. Cancel: cancelling a task that awaits it cancels the future.
template <class T>
class [[nodiscard]] future : public internal::result_handle<T, internal::typed_future<T>> {
  using handle = internal::result_handle<T, internal::typed_future<T>>;

 public:
  using state = internal::typed_future<T>;
  using handle::handle;

  /// A function that is kept with its identity, so that it can be removed again: copies are equal.
  using callback = callable<void(const future&)>;
  /// Calls `function` with this future in the round after the one in which it is done, in the order of adding.
  void add_done_callback(callback function) const {
    this->template add_callback<future>(std::move(function));
  }
  /// Takes out all that are copies of `function` and have not been called for; returns how many.
  std::size_t remove_done_callback(const callback& function) const {
    return internal::done_call<future>::remove(this->checked(), function);
  }

  /// Waits for the result. Errors: the result's error; `cancelled`.
  auto operator co_await() const& {
    return internal::result_wait<T, state, false>(this->checked());
  }
  auto operator co_await() && { return internal::result_wait<T, state, true>(this->checked()); }
};

namespace internal {

/// The state between a promise, on any thread, and a future on its loop. The promise writes the result, then posts the
/// state to the loop, which makes it visible: the future changes on its own loop only.
template <class T>
class promised final : public arriving<T>, public pooled {
 public:
  explicit promised(loop& home) noexcept : arriving<T>(home) {}

  bool cancel(std::string_view reason) noexcept override { return this->end_as_cancelled(reason); }

  template <class... Args>
  void set_value(Args&&... args) {
    this->arrived_.set_value(std::forward<Args>(args)...);
  }
  void set_error(std::exception_ptr error) noexcept { this->arrived_.set_error(std::move(error)); }
  /// The promise was dropped: an error for whoever still waits, and no report when nobody does.
  void set_broken() noexcept {
    broken_ = true;
    set_error(std::make_exception_ptr(broken_promise("the promise was dropped without a result")));
  }

  using arriving<T>::deliver;

 private:
  void destroy() noexcept override {
    if (this->unseen_error() && !broken_) {
      report_unseen({"an error in a future was never looked at", this->result_.error()});
    }
    delete this;
  }

  bool broken_ = false;
};

}  // namespace internal

/// The writing end of a `future`: sets the result once, from any thread. Dropped without a result it breaks the future,
/// which then throws `broken_promise`.
template <class T>
class promise {
 public:
  /// A promise whose future belongs to the running loop.
  /// Errors: `invalid_state` when no loop runs on this thread.
  promise() {
    loop* const home = loop::current();
    if (home == nullptr)
      throw invalid_state("a promise is made on a loop, and none runs on this thread");
    state_ = new internal::promised<T>(*home);
    future_ = state_;
  }
  promise(promise&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)),
        future_(std::exchange(other.future_, nullptr)) {}
  promise& operator=(promise&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::exchange(other.state_, nullptr);
      future_ = std::exchange(other.future_, nullptr);
    }
    return *this;
  }
  ~promise() { drop(); }

  /// The future; can be taken once, on the loop. Errors: `invalid_state` the second time.
  future<T> get_future() {
    if (future_ == nullptr) throw invalid_state("the future of this promise was taken before");
    return future<T>(*std::exchange(future_, nullptr));
  }

  /// Sets the result. On the future's loop it is there when this returns; from another thread, once the loop has taken it in.
  /// Errors: `invalid_state` when a result was set before, or, on the future's loop, when the future was cancelled; a
  /// cancellation that another thread cannot know of drops the result.
  /// Threads: any.
  template <class... Args>
  void set_value(Args&&... args) {
    open().set_value(std::forward<Args>(args)...);
    deliver();
  }
  void set_exception(std::exception_ptr error) {
    internal::expect_error(error);
    open().set_error(std::move(error));
    deliver();
  }
  /// As `set_value`, but returns false, and gives up the promise, when the future was cancelled.
  template <class... Args>
  bool try_set_value(Args&&... args) {
    const bool wanted = !abandoned();
    checked().set_value(std::forward<Args>(args)...);
    deliver();
    return wanted;
  }
  bool try_set_exception(std::exception_ptr error) {
    internal::expect_error(error);
    const bool wanted = !abandoned();
    checked().set_error(std::move(error));
    deliver();
    return wanted;
  }

  /// Whether the future was cancelled: its result is not wanted. Threads: the future's loop.
  bool cancelled() const { return checked().was_cancelled(); }

 private:
  /// Touches nothing of this promise afterwards: whoever waits may destroy it at once.
  void deliver() noexcept { std::exchange(state_, nullptr)->deliver(); }
  bool abandoned() const {
    return loop::current() == &checked().home() && checked().was_cancelled();
  }
  internal::promised<T>& open() const {
    if (abandoned()) throw invalid_state("the future of this promise was cancelled");
    return checked();
  }
  internal::promised<T>& checked() const {
    if (state_ == nullptr) throw invalid_state("this promise has been kept or was moved from");
    return *state_;
  }
  void drop() noexcept {
    if (future_ != nullptr) future_->release();
    if (state_ != nullptr) {
      state_->set_broken();
      deliver();
    }
  }

  internal::promised<T>* state_;
  internal::promised<T>* future_;  ///< until get_future
};

}  // namespace troupe
