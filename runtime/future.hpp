#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/work.hpp>

#include <concepts>
#include <cstddef>
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
  virtual void each_part(const callable<void(const future_base&)>&) const {}

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
  void each_awaited(const callable<void(const future_base&)>& visit) const override {
    visit(target_);
  }
  std::string_view what() const noexcept override { return "a future"; }

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
class promised final : public typed_future<T>, public pooled {
 public:
  explicit promised(loop& home) noexcept : typed_future<T>(&promised::arrive, home, 2) {}

  bool cancel(std::string_view reason) noexcept override {
    if (this->done()) {
      this->retrieved_ = true;
      return false;
    }
    this->keep_reason(reason);
    this->complete(future_base::status::cancelled);
    return true;
  }

  template <class... Args>
  void set_value(Args&&... args) {
    arrived_.set_value(std::forward<Args>(args)...);
  }
  void set_error(std::exception_ptr error) noexcept { arrived_.set_error(std::move(error)); }
  /// The promise was dropped: an error for whoever still waits, and no report when nobody does.
  void set_broken() noexcept {
    broken_ = true;
    set_error(std::make_exception_ptr(broken_promise("the promise was dropped without a result")));
  }

  /// Gives what was set to the future. Gives up the promise's count.
  void deliver() noexcept {
    if (loop::current() == &this->home()) {
      arrive(*this);
    } else if (!this->home().post(*this)) {
      this->release();  // the loop is closed, and with it whoever could have read the result
    }
  }

 private:
  static void arrive(work& item) noexcept {
    auto& self = static_cast<promised&>(item);
    if (!self.done()) {
      self.result_.take_from(self.arrived_);
      self.complete(self.result_.has_error() ? future_base::status::error
                                             : future_base::status::value);
    }
    self.release();
  }
  void destroy() noexcept override {
    if (this->unseen_error() && !broken_) {
      report_unseen({"an error in a future was never looked at", this->result_.error()});
    }
    delete this;
  }

  outcome<T> arrived_;  ///< written by the promise's thread
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
