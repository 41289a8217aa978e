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

/// What `gather` makes of its arguments: something that goes on and can be awaited.
template <class Source>
struct gathered;
template <class T>
struct gathered<coro<T>> {
  using handle = task<T>;
  using value = typename outcome<T>::value_type;
  static handle from(coro<T>&& body) { return create_task(std::move(body)); }
};
template <class T>
struct gathered<task<T>> {
  using handle = task<T>;
  using value = typename outcome<T>::value_type;
  static handle from(task<T>&& given) noexcept { return std::move(given); }
};
template <class T>
struct gathered<future<T>> {
  using handle = future<T>;
  using value = typename outcome<T>::value_type;
  static handle from(future<T>&& given) noexcept { return std::move(given); }
};

}  // namespace internal

/// Several tasks or futures awaited together; see `gather`.
template <class... Sources>
class [[nodiscard]] gathering {
  using handles = std::tuple<typename internal::gathered<Sources>::handle...>;
  using results = std::tuple<typename internal::gathered<Sources>::value...>;

 public:
  explicit gathering(typename internal::gathered<Sources>::handle... all)
      : handles_(std::move(all)...) {}

  /// The results in the order of the arguments; `void` becomes an empty struct.
  auto operator co_await() { return awaiter(handles_, std::index_sequence_for<Sources...>{}); }

  /// Cancels all that have not ended.
  void cancel() {
    std::apply([](auto&... each) { (static_cast<void>(each.cancel()), ...); }, handles_);
  }

 private:
  class awaiter {
   public:
    template <std::size_t... Index>
    awaiter(handles& all, std::index_sequence<Index...>)
        : handles_(all), wait_(targets_, sizeof...(Sources)) {
      ((targets_[Index].future = &std::get<Index>(all).base()), ...);
    }
    bool await_ready() noexcept { return wait_.await_ready(); }
    void await_suspend(std::coroutine_handle<> handle) { wait_.await_suspend(handle); }
    results await_resume() {
      wait_.await_resume();
      // In the order of the arguments: what has failed by now.
      std::apply([](auto&... each) { (throw_failure(each), ...); }, handles_);
      return std::apply([](auto&... each) { return results(std::move(each.result())...); },
                        handles_);
    }

   private:
    template <class Handle>
    static void throw_failure(Handle& each) {
      if (each.done() && !each.base().succeeded()) static_cast<void>(each.result());
    }

    handles& handles_;
    internal::all_wait::target targets_[sizeof...(Sources) == 0 ? 1 : sizeof...(Sources)];
    internal::all_wait wait_;
  };

  handles handles_;
};

/// Waits for all of several coroutines, which start now as tasks and in this order, tasks and futures, such as the answers of
/// asks: `co_await gather(a.ask(x), b.ask(y))`. The first failure is thrown at once, while the others run on; later failures
/// of tasks are reported.
/// Cancel: cancels all of them, and ends when they have ended.
template <class... Sources>
gathering<Sources...> gather(Sources... sources) {
  return gathering<Sources...>{
      internal::gathered<Sources>::from(std::move(sources))...};  // braces: from left to right
}

}  // namespace troupe
