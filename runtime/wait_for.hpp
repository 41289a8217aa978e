#pragma once

#include <troupe/runtime/timeout.hpp>
#include <troupe/runtime/wait.hpp>

#include <troupe/runtime/time.hpp>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {

/// Awaits a handle from a coroutine of its own, for those who take coroutines.
template <class Handle>
coro<typename Handle::value_type> result_of(Handle awaited) {
  co_return co_await std::move(awaited);
}

/// The result of what had no time at all: only what is done already has one.
template <class Handle>
coro<typename Handle::value_type> result_now(Handle awaited) {
  if (!awaited.done()) {
    awaited.cancel();
    co_await until_done(awaited.base());
    if (awaited.cancelled()) throw_timeout();
  }
  co_return co_await std::move(awaited);
}

}  // namespace internal

/// Awaits `source`, a coroutine, task or future, for at most `limit`, and cancels it then: `co_await wait_for(answer, 1s)`. Returns
/// when it has really ended, so one that refuses to be cancelled delays it; a result that comes all the same is
/// returned, an error is thrown. A coroutine runs as part of the calling task; with no time at all it never begins.
/// Errors: what `source` throws; `timeout_error`. Cancel: is passed on to `source`.
template <class T, class Rep, class Period>
coro<T> wait_for(coro<T> source, std::chrono::duration<Rep, Period> limit) {
  if (internal::to_duration(limit) <= duration::zero()) {
    const coro<T> dropped = std::move(source);
    internal::throw_timeout();
  }
  timeout_scope scope(limit);
  auto running = scope.run(std::move(source));
  co_return co_await running;
}
template <internal::plain_awaitable T, class Rep, class Period>
auto wait_for(T source, std::chrono::duration<Rep, Period> limit) {
  return wait_for(internal::as_coro(std::move(source)), limit);
}
template <class Handle, class Rep, class Period>
  requires requires { typename Handle::state; }
coro<typename Handle::value_type> wait_for(Handle source,
                                           std::chrono::duration<Rep, Period> limit) {
  if (internal::to_duration(limit) <= duration::zero()) {
    auto now = internal::result_now(std::move(source));
    co_return co_await now;
  }
  timeout_scope scope(limit);
  auto running = scope.run(internal::result_of(std::move(source)));
  co_return co_await running;
}

}  // namespace troupe
