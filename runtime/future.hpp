#pragma once

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/work.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
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

  /// Cancels; returns false when it is done already. A future ends cancelled at once, a task when its coroutine does.
  virtual bool cancel() noexcept = 0;

  /// Calls `added.notify` when done, in the order of adding. Pre: not done.
  void add_observer(internal::observer& added) noexcept;
  /// Pre: `removed` was added and not notified.
  void remove_observer(internal::observer& removed) noexcept;

  void retain() noexcept { count_.add(); }
  void release() noexcept {
    if (count_.drop()) destroy();
  }

 protected:
  future_base(work::function run_function, loop& home, std::uint32_t count) noexcept
      : work(run_function), home_(&home), count_(count) {}
  virtual ~future_base() = default;

  virtual void destroy() noexcept = 0;

  /// Ends with `result` and notifies. Pre: pending; on the home loop.
  void complete(status result) noexcept;

  bool retrieved_ = false;  ///< somebody has seen the result

 private:
  loop* home_;
  internal::ref_count count_;
  status status_ = status::pending;
  internal::observer* first_ = nullptr;
  internal::observer* last_ = nullptr;
};

namespace internal {

/// Hands the failure of a result that nobody looked at to the running loop's failure handler, and prints it where none runs.
void report_unseen(const failure_report& report) noexcept;

/// Waits until a future or task is done. Cancelling the wait cancels what is waited for, as in asyncio.
class completion_wait : public suspension, private observer {
 public:
  explicit completion_wait(future_base& target) noexcept
      : observer(&completion_wait::on_done), target_(target) {}
  ~completion_wait() {
    if (suspended()) target_.release();
  }

  bool await_ready() const noexcept { return target_.done(); }
  void await_suspend(std::coroutine_handle<> handle) {
    // The handle that is awaited may be given another state before this resumes.
    target_.retain();
    target_.add_observer(*this);
    park(handle);
  }
  void check() {
    if (suspended()) finish();
  }
  bool cancel() noexcept override;

 private:
  static void on_done(observer& self) noexcept { static_cast<completion_wait&>(self).wake(); }
  future_base& target_;
};

/// A result of type `T` that comes once.
template <class T>
class typed_future : public future_base {
 public:
  /// The result, moved out; the error or `cancelled` thrown. Pre: done.
  T take() {
    retrieved_ = true;
    if (was_cancelled()) throw cancelled{};
    return result_.take();
  }
  /// The result in place. Errors: the error; `cancelled`; `invalid_state` when not done.
  typename outcome<T>::value_type& get() {
    if (!done()) throw invalid_state("the result was asked for before there is one");
    retrieved_ = true;
    if (was_cancelled()) throw cancelled{};
    return result_.get();
  }
  /// The error, or null when it ended with a value. Errors: `cancelled`; `invalid_state` when not done.
  std::exception_ptr error() {
    if (!done()) throw invalid_state("the error was asked for before there is a result");
    retrieved_ = true;
    if (was_cancelled()) throw cancelled{};
    return result_.has_error() ? result_.error() : nullptr;
  }

 protected:
  using future_base::future_base;

  bool unseen_error() const noexcept { return result_.has_error() && !retrieved_; }

  outcome<T> result_;
};

}  // namespace internal

template <class T>
class promise;

/// One result that comes later: the reading end of a `promise`, or the answer to an ask.
///
/// Threads: the loop that it was made on. Cancel: cancelling a task that awaits it cancels the future.
template <class T>
class [[nodiscard]] future {
 public:
  using state = internal::typed_future<T>;

  /// Takes over one count of `owned`.
  explicit future(state& owned) noexcept : state_(&owned) {}
  future(future&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  future& operator=(future&& other) noexcept {
    if (this != &other) {
      if (state_ != nullptr) state_->release();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~future() {
    if (state_ != nullptr) state_->release();
  }

  bool done() const { return checked().done(); }
  /// True when it ended by `cancel`.
  bool was_cancelled() const { return checked().was_cancelled(); }
  /// Ends it as cancelled; returns false when it was done. A late result is dropped.
  bool cancel() const { return checked().cancel(); }

  /// Errors: the result's error; `cancelled`; `invalid_state` when not done.
  decltype(auto) result() const { return checked().get(); }
  std::exception_ptr exception() const { return checked().error(); }

  /// Waits for the result and moves it out. Errors: the result's error; `cancelled`.
  auto operator co_await() const { return awaiter(checked()); }

  /// The shared state, for code that combines futures.
  future_base& base() const { return checked(); }

 private:
  class awaiter : public internal::completion_wait {
   public:
    explicit awaiter(state& target) noexcept : completion_wait(target), target_(target) {}
    T await_resume() {
      check();
      return target_.take();
    }

   private:
    state& target_;
  };

  state& checked() const {
    if (state_ == nullptr) throw invalid_state("use of a future that was moved from");
    return *state_;
  }

  state* state_;
};

namespace internal {

/// The state between a promise, on any thread, and a future on its loop. The promise writes the result, then posts the
/// state to the loop, which makes it visible: the future changes on its own loop only.
template <class T>
class promised final : public typed_future<T>, public pooled {
 public:
  explicit promised(loop& home) noexcept : typed_future<T>(&promised::arrive, home, 2) {}

  bool cancel() noexcept override {
    if (this->done()) return false;
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

  /// Errors: `invalid_state` when a result was set before.
  /// Threads: any.
  template <class... Args>
  void set_value(Args&&... args) {
    checked().set_value(std::forward<Args>(args)...);
    deliver();
  }
  void set_exception(std::exception_ptr error) {
    checked().set_error(std::move(error));
    deliver();
  }

 private:
  /// Touches nothing of this promise afterwards: whoever waits may destroy it at once.
  void deliver() noexcept { std::exchange(state_, nullptr)->deliver(); }
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
