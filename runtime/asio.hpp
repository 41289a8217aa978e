#pragma once

#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/task.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

// The door to asio, for those who have asio code or need a device that troupe does not know. The only public header that
// includes asio.

namespace troupe {

/// The io_context of the running loop: make asio's sockets, timers and signals on it. The loop runs it as part of itself, from
/// the first call of this on; never run or stop it.
/// Errors: `invalid_state` off a loop. Threads: the loop's.
asio::io_context& asio_context();

/// asio's completion token for troupe's coroutines: any asynchronous operation of an object on `asio_context()` can be awaited.
///
///     asio::steady_timer timer(troupe::asio_context(), 1s);
///     co_await timer.async_wait(troupe::use_troupe);
///     std::size_t got = co_await socket.async_read_some(buffer, troupe::use_troupe);
///
/// Gives the operation's results: none, one, or a tuple. Errors: std::system_error with the operation's error code, or the
/// exception it ends with; `cancelled`.
/// Cancel: asks the operation to end, by asio's cancellation slot, and throws `cancelled` when it then fails; one that succeeds
/// all the same gives its result, and the cancellation comes at the next suspension. An operation that takes no cancellation
/// slot is waited for. One that asio destroys without ending it waits until it is cancelled. The object that it is of has to outlive it: asking it to end
/// goes there.
/// Cost: one allocation beside asio's.
struct use_troupe_token {};
inline constexpr use_troupe_token use_troupe{};

namespace internal {

/// What an operation of asio has ended with, shared by it and the awaiter: a closing loop destroys either first.
template <class... Results>
struct asio_operation : ref_count {
  asio_operation() : ref_count(2) {}
  void let_go() noexcept {
    if (drop()) delete this;
  }
  /// Asks the operation to end, if asio still has it: what was destroyed with its object cannot be asked.
  void ask_to_end() {
    if (in_progress) signal.emit(asio::cancellation_type::terminal);
  }

  asio::cancellation_signal signal;
  bool in_progress = true;  ///< asio has neither ended nor destroyed it
  suspension* waiter = nullptr;
  void (*wake)(suspension&) noexcept = nullptr;
  std::optional<std::tuple<Results...>> results;
};

template <class... Results>
class asio_handler {
 public:
  using cancellation_slot_type = asio::cancellation_slot;

  explicit asio_handler(asio_operation<Results...>& given) noexcept : operation_(&given) {}
  asio_handler(asio_handler&& other) noexcept
      : operation_(std::exchange(other.operation_, nullptr)) {}
  asio_handler& operator=(asio_handler&&) = delete;
  ~asio_handler() {
    if (operation_ == nullptr) return;
    operation_->in_progress = false;
    operation_->let_go();
  }

  cancellation_slot_type get_cancellation_slot() const noexcept {
    return operation_->signal.slot();
  }

  void operator()(Results... results) {
    operation_->in_progress = false;
    operation_->results.emplace(std::move(results)...);
    if (operation_->waiter != nullptr) operation_->wake(*operation_->waiter);
  }

 private:
  asio_operation<Results...>* operation_;
};

/// Whether the first of an operation's results is how it failed, and what then is left of them.
template <class... Results>
struct asio_results {
  static constexpr bool may_fail = false;
  using tuple = std::tuple<Results...>;
};
template <class... Results>
struct asio_results<std::error_code, Results...> {
  static constexpr bool may_fail = true;
  using tuple = std::tuple<Results...>;
};
template <class... Results>
struct asio_results<std::exception_ptr, Results...> {
  static constexpr bool may_fail = true;
  using tuple = std::tuple<Results...>;
};

inline void throw_if_failed(const std::error_code& error) {
  if (error) throw std::system_error(error);
}
inline void throw_if_failed(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

template <class Start, class... Results>
class asio_wait final : public suspension {
  using kind = asio_results<Results...>;
  using operation = asio_operation<Results...>;

 public:
  explicit asio_wait(Start start) : start_(std::move(start)) {}
  ~asio_wait() {
    if (operation_ == nullptr) return;
    operation_->waiter = nullptr;
    if (waiting()) operation_->ask_to_end();
    operation_->let_go();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current()) {
    park(handle, here);
    if (!waiting()) return;  // a cancellation was due: the operation never begins
    try {
      operation_ = new operation;
      operation_->waiter = this;
      operation_->wake = [](suspension& self) noexcept { static_cast<asio_wait&>(self).wake(); };
      start_(asio_handler<Results...>(*operation_));
    } catch (...) {
      unpark();
      throw;
    }
  }
  auto await_resume() {
    if (operation_ == nullptr || !operation_->results) {
      finish();
      throw_cancelled();
    }
    auto results = std::move(*operation_->results);
    if constexpr (kind::may_fail) {
      // What it fails with because it was asked to end depends on the operation: it is not always operation_aborted.
      if (asked_to_end_ && std::get<0>(results)) finish();
      throw_if_failed(std::get<0>(results));
      return give(std::apply(
          [](auto&&, auto&&... rest) { return typename kind::tuple(std::move(rest)...); },
          std::move(results)));
    } else {
      return give(std::move(results));
    }
  }

  bool cancel() noexcept override {
    if (operation_ == nullptr || (!operation_->in_progress && !operation_->results)) {
      wake_cancelled();
      return true;
    }
    asked_to_end_ = true;
    // Kept by the task: how the operation ends decides.
    operation_->ask_to_end();
    return false;
  }
  std::string_view what() const noexcept override { return "an operation of asio"; }

 private:
  static auto give(typename kind::tuple results) {
    if constexpr (std::tuple_size_v<typename kind::tuple> == 1) {
      return std::get<0>(std::move(results));
    } else if constexpr (std::tuple_size_v<typename kind::tuple> != 0) {
      return results;
    }
  }

  Start start_;
  operation* operation_ = nullptr;  ///< one count
  bool asked_to_end_ = false;
};

}  // namespace internal
}  // namespace troupe

template <class... Results>
class asio::async_result<troupe::use_troupe_token, void(Results...)> {
 public:
  template <class Initiation, class... Args>
  static auto initiate(Initiation initiation, troupe::use_troupe_token, Args... arguments) {
    auto start = [initiation = std::move(initiation),
                  held = std::tuple<Args...>(std::move(arguments)...)](auto handler) mutable {
      std::apply(
          [&](auto&&... each) { std::move(initiation)(std::move(handler), std::move(each)...); },
          std::move(held));
    };
    return troupe::internal::asio_wait<decltype(start), std::decay_t<Results>...>(std::move(start));
  }
};
