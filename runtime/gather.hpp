#pragma once

#include <troupe/runtime/task.hpp>

#include <cstddef>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {

/// Waits until every target is done, or the first one has failed.
class all_wait final : public suspension {
 public:
  struct target : observer {
    target() noexcept : observer(&target::on_done) {}
    static void on_done(observer& self) noexcept;
    future_base* future = nullptr;
    all_wait* waiter = nullptr;  ///< null when it is not observed
  };

  all_wait(target* targets, std::size_t count) noexcept : targets_(targets), count_(count) {}
  ~all_wait();

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume();
  bool cancel() noexcept override;

 private:
  void told(target& one) noexcept;

  target* targets_;
  std::size_t count_;
  std::size_t left_ = 0;
  bool cancel_requested_ = false;
};

}  // namespace internal

/// Several tasks awaited together; see `gather`.
template <class... T>
class [[nodiscard]] gathering {
 public:
  explicit gathering(task<T>... tasks) : tasks_(std::move(tasks)...) {}

  /// The results in the order of the arguments; `void` becomes an empty struct.
  auto operator co_await() { return awaiter(tasks_, std::index_sequence_for<T...>{}); }

  /// Cancels all that have not ended.
  void cancel() {
    std::apply([](auto&... each) { (static_cast<void>(each.cancel()), ...); }, tasks_);
  }

 private:
  class awaiter {
   public:
    template <std::size_t... Index>
    awaiter(std::tuple<task<T>...>& tasks, std::index_sequence<Index...>)
        : tasks_(tasks), wait_(targets_, sizeof...(T)) {
      ((targets_[Index].future = &std::get<Index>(tasks).base()), ...);
    }
    bool await_ready() noexcept { return wait_.await_ready(); }
    void await_suspend(std::coroutine_handle<> handle) { wait_.await_suspend(handle); }
    auto await_resume() {
      wait_.await_resume();
      throw_first_failure();
      return std::apply(
          [](auto&... each) {
            return std::tuple<typename internal::outcome<T>::value_type...>(std::move(each.result())...);
          },
          tasks_);
    }

   private:
    void throw_first_failure() {
      // In the order of the arguments: what has failed by now.
      std::apply([](auto&... each) { (look_at(each), ...); }, tasks_);
    }
    template <class Task>
    static void look_at(Task& each) {
      if (each.done() && !each.base().succeeded()) static_cast<void>(each.result());
    }

    std::tuple<task<T>...>& tasks_;
    internal::all_wait::target targets_[sizeof...(T) == 0 ? 1 : sizeof...(T)];
    internal::all_wait wait_;
  };

  std::tuple<task<T>...> tasks_;
};

/// Runs `bodies` at the same time, as tasks that start now, and gives their results together when awaited. The first failure
/// is thrown at once, while the others run on; their later failures are reported.
/// Cancel: cancels all of them, and ends when they have ended.
template <class... T>
gathering<T...> gather(coro<T>... bodies) {
  return gathering<T...>(create_task(std::move(bodies))...);
}

}  // namespace troupe
