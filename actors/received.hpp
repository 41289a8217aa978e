#pragma once

#include <troupe/actors/envelope.hpp>
#include <troupe/actors/process_core.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/runtime/time.hpp>

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe {

/// A request that a process has received: the message, and the right to answer it, once. Dropped without an answer it fails the ask: with
/// what the process throws, if an exception that ends the process drops it; with `actor_dead`, if the process is told to stop; else with
/// `no_reply`. Where the request was told, not asked, `reply` is empty.
template <request M>
struct asked {
  asked(M&& given,
        reply_to<reply_of<M>>&& answers) noexcept(std::is_nothrow_move_constructible_v<M>)
      : message(std::move(given)), reply(std::move(answers)) {}

  M message;
  reply_to<reply_of<M>> reply;
};

/// How long a receive waits: `co_await inbox.receive(after(1s))`. As for any time-out, `infinite` is for ever.
struct after {
  template <class Rep, class Period>
  explicit after(std::chrono::duration<Rep, Period> time) : limit(internal::to_duration(time)) {}
  duration limit;
};

/// As what an `M` is received: a request with the right to answer.
template <class M>
struct received_as {
  using type = M;
};
template <request M>
struct received_as<M> {
  using type = asked<M>;
};

namespace internal {

template <class... Ms>
struct received_any {
  using type = std::variant<typename received_as<Ms>::type...>;
};
template <class M>
struct received_any<M> : received_as<M> {};

template <class... Ms>
inline constexpr const message_info* types_of[] = {&envelope_of<Ms>::type...};
template <bool All, class... Ms>
inline constexpr wanted_messages wanted_of{types_of<Ms...>, sizeof...(Ms), All};

/// Takes an `M` out of its envelope.
template <class M>
typename received_as<M>::type unwrap(envelope& item) {
  auto& held = static_cast<envelope_of<M>&>(item);
  struct told_message {
    ~told_message() {
      if (item != nullptr) envelope_of<M>::free_told(*item);
    }
    envelope_of<M>* item;
  };
  const told_message told{item.reply == nullptr ? &held : nullptr};
  if constexpr (request<M>) {
    reply_to<reply_of<M>> reply(static_cast<typed_reply_slot<reply_of<M>>*>(item.reply));
    return asked<M>(std::move(held.message), std::move(reply));
  } else {
    return std::move(held.message);
  }
}

/// Makes a `Result` of whichever of the types the message is.
template <class Result, class M, class... Rest>
Result unwrap_any(envelope& item) {
  using received = typename received_as<M>::type;
  if constexpr (sizeof...(Rest) != 0) {
    if (item.info != &envelope_of<M>::type) return unwrap_any<Result, Rest...>(item);
  }
  if constexpr (std::is_constructible_v<Result, std::in_place_type_t<received>, received>) {
    return Result(std::in_place_type<received>, unwrap<M>(item));
  } else {
    return unwrap<M>(item);
  }
}

/// A receive of `Ms`; `Wait` says whether it ends after a time, and then gives an optional.
template <class Wait, class... Ms>
class typed_receive final : public Wait {
 public:
  using result = typename received_any<Ms...>::type;
  using Wait::Wait;

  auto await_resume() {
    envelope* const item = this->received();
    if constexpr (std::is_same_v<Wait, timed_receive_wait>) {
      return item != nullptr ? std::optional<result>(unwrap_any<result, Ms...>(*item))
                             : std::nullopt;
    } else {
      return unwrap_any<result, Ms...>(*item);
    }
  }
};

}  // namespace internal

/// Calls that one of `functions` which takes what was received.
///
///     match(co_await inbox.receive(), [&](deposit d) { ... }, [&](asked<balance> b) { b.reply.answer(cents); });
///
template <class Received, class... Functions>
decltype(auto) match(Received&& received, Functions... functions) {
  struct overloaded : Functions... {
    using Functions::operator()...;
  };
  return std::visit(overloaded{std::move(functions)...}, std::forward<Received>(received));
}

}  // namespace troupe
