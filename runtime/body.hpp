#pragma once

#include <troupe/runtime/coro.hpp>

#include <type_traits>
#include <utility>

namespace troupe::internal {

template <class T>
inline constexpr bool is_coro = false;
template <class T>
inline constexpr bool is_coro<coro<T>> = true;

/// A function whose call with `Args` is a coroutine.
template <class Function, class... Args>
concept coroutine_function =
    std::is_invocable_v<Function&, Args...> && is_coro<std::invoke_result_t<Function&, Args...>>;

/// Runs the coroutine that `function(arguments...)` makes, with the function kept in a frame of its own until that has ended: a
/// lambda that captures by reference may be passed as a temporary. The arguments are by reference, to what outlives the coroutine.
/// (One that captures by value what has a destructor is to be named, for g++ 12 destroys it twice; see
/// docs/decisions/0003-coroutine-transfer.md.)
template <class Function, class... Args>
  requires coroutine_function<Function, Args&...>
auto kept(Function function, Args&... arguments) -> std::invoke_result_t<Function&, Args&...> {
  auto body = function(arguments...);
  co_return co_await body;
}

/// What can be awaited and is no coroutine: a sleep, the get of a queue, the acquire of a lock.
template <class T>
concept plain_awaitable = std::is_move_constructible_v<T> && requires(T& awaitable) {
  awaitable.await_ready();
  awaitable.await_resume();
};

/// A handle of something that goes on and can be awaited: a task, a future.
template <class T>
concept awaitable_handle = !is_coro<T> && std::is_move_constructible_v<T> &&
                           requires(T handle) { std::move(handle).operator co_await(); };

/// Awaits it in a coroutine of its own, for those who take coroutines.
template <plain_awaitable T>
auto as_coro(T awaitable) -> coro<decltype(awaitable.await_resume())> {
  co_return co_await awaitable;
}
template <awaitable_handle T>
auto as_coro(T handle) -> coro<typename T::value_type> {
  co_return co_await std::move(handle);
}

/// What is run in a time limit, scope or group that it may be passed: a coroutine, a function that makes one, something to await.
template <class Body, class Scope>
concept body_for = is_coro<Body> || coroutine_function<Body> || coroutine_function<Body, Scope&> ||
                   plain_awaitable<Body> || awaitable_handle<Body>;

/// The coroutine that `body` is or makes.
template <class Scope, body_for<Scope> Body>
auto body_of(Body body, Scope& scope) {
  if constexpr (is_coro<Body>) {
    return body;
  } else if constexpr (coroutine_function<Body>) {
    return kept(std::move(body));
  } else if constexpr (coroutine_function<Body, Scope&>) {
    return kept(std::move(body), scope);
  } else {
    return as_coro(std::move(body));
  }
}

/// What `Body` ends with.
template <class Body, class Scope>
using result_of_body =
    typename decltype(body_of(std::declval<Body>(), std::declval<Scope&>()))::value_type;

}  // namespace troupe::internal
