#pragma once

#include <troupe/runtime/future.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/thread_pool.hpp>

#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {

/// A call on another thread, and the future of its result, in one block. Counted by the future and by the call until that has
/// come home.
template <class R, class Call>
class thread_call final : public arriving<R>, private thread_job, public pooled {
 public:
  thread_call(loop& home, Call call)
      : arriving<R>(home),
        thread_job(&thread_call::run_job),
        context_(context::current()),
        call_(std::move(call)) {}

  void start(thread_pool& on) {
    if (on.closed()) {
      this->release();
      throw_pool_closed();
    }
    if (this->home().is_virtual()) {
      // The test kit's time knows nothing of other threads: there the call is made on the loop, in its next round.
      static_cast<work&>(*this).run = &thread_call::run_inline;
      this->home().push(*this);
      return;
    }
    pool_ = thread_pool::hold(on);
    try {
      on.submit(*this);
    } catch (...) {
      this->release();
      throw;
    }
  }

  /// A call that has not begun is withdrawn; one that has goes on, and its result is dropped.
  bool cancel(std::string_view reason) noexcept override {
    const bool withdrawn = !this->done() && pool_.withdraw(*this);
    const bool cancelled = this->end_as_cancelled(reason);
    if (withdrawn) this->release();
    return cancelled;
  }

 private:
  static void run_job(thread_job& job) noexcept {
    auto& self = static_cast<thread_call&>(job);
    self.make_call();
    self.send_home();
  }
  static void run_inline(work& item) noexcept {
    auto& self = static_cast<thread_call&>(item);
    if (!self.done()) self.make_call();
    self.deliver();
  }
  void make_call() noexcept {
    context_.run([this] { this->arrived_.set_from(call_); });
  }
  void destroy() noexcept override {
    if (this->unseen_error())
      report_unseen(
          {"a call of to_thread failed and nobody looked at its result", this->result_.error()});
    delete this;
  }

  thread_pool::hold pool_;  ///< set before the call can begin
  context context_;
  Call call_;
};

}  // namespace internal

/// Calls `function(arguments...)`, which may block, on a thread of `pool`, in a copy of the caller's context, and gives its result:
/// `auto text = co_await to_thread(pool, read_file, path)`. Function and arguments are moved or copied into the call.
/// Errors: what the function throws; `invalid_state` off a loop, or when the pool has been shut down.
/// Cancel: a call that has not begun is never made; one that has goes on, and what it returns is dropped.
/// Cost: two changes of threads, some 10 us. On virtual time the call is made on the loop.
template <class Function, class... Args>
  requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...>
auto to_thread(thread_pool& pool, Function&& function, Args&&... arguments) {
  using result = std::invoke_result_t<std::decay_t<Function>, std::decay_t<Args>...>;
  auto call = [function = std::decay_t<Function>(std::forward<Function>(function)),
               held = std::tuple<std::decay_t<Args>...>(std::forward<Args>(arguments)...)]() mutable
      -> result { return std::apply(std::move(function), std::move(held)); };
  loop& home = internal::running_loop("to_thread");
  auto* const made = new internal::thread_call<result, decltype(call)>(home, std::move(call));
  future<result> answer(*made);
  made->start(pool);
  return answer;
}

/// The same on the threads of the running runtime; see `run_options::pool_threads`.
template <class Function, class... Args>
  requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...>
auto to_thread(Function&& function, Args&&... arguments) {
  return to_thread(internal::default_pool(internal::running_loop("to_thread")),
                   std::forward<Function>(function), std::forward<Args>(arguments)...);
}

}  // namespace troupe
