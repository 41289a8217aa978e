#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/task.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe {

/// A router was asked that has no actor to pass the request to.
struct no_routee : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How a router chooses.
enum class routing : std::uint8_t {
  round_robin,  ///< one after the other
  least_loaded,  ///< the one with the fewest messages waiting or in hand, in turn where several have as few
};

/// Left undefined: the compiler names the message, or both, in the one line that says what is wrong.
template <class Message>
struct message_that_is_broadcast_cannot_be_copied;
template <class Key, class Message>
struct key_function_of_a_router_does_not_take;
template <class Key>
struct key_of_a_router_is_neither_a_number_nor_a_text;

namespace internal {

class router_state;
class routee;

using route_key = callable<std::uint64_t(const message_info& of, const void* message)>;

router_state& make_router(routing how);
router_state& make_router(route_key key, std::size_t points);
void keep(router_state& held) noexcept;
void let_go(router_state& held) noexcept;
bool add_routee(router_state& to, cell* who);
bool remove_routee(router_state& from, cell* who) noexcept;
std::size_t routees(const router_state& of) noexcept;
std::size_t broadcast(router_state& to, const void* message,
                      envelope* (*copied)(const void* message));
/// Ends a message that no one is there for.
void lose(envelope& item) noexcept;
std::exception_ptr no_routee_for(std::string_view message);

std::uint64_t hash_number(std::uint64_t number) noexcept;
std::uint64_t hash_text(std::string_view text) noexcept;

template <class Key>
std::uint64_t hash_key(const Key& key) {
  if constexpr (std::is_enum_v<Key>) {
    return hash_number(static_cast<std::uint64_t>(key));
  } else if constexpr (std::integral<Key>) {
    return hash_number(static_cast<std::uint64_t>(key));
  } else if constexpr (std::convertible_to<const Key&, std::string_view>) {
    return hash_text(key);
  } else {
    static_cast<void>(sizeof(key_of_a_router_is_neither_a_number_nor_a_text<Key>));
    return 0;
  }
}

template <class M, class Key>
std::uint64_t key_of(Key& key, const void* message) {
  if constexpr (std::invocable<Key&, const M&>) {
    return hash_key<std::remove_cvref_t<std::invoke_result_t<Key&, const M&>>>(
        key(*static_cast<const M*>(message)));
  } else {
    static_cast<void>(sizeof(key_function_of_a_router_does_not_take<Key, M>));
    return 0;
  }
}

template <class Key, class... Ms>
route_key keys_of(Key key, protocol<Ms...>*) {
  return [key = std::move(key)](const message_info& of, const void* message) mutable {
    std::uint64_t hash = 0;
    static_cast<void>(
        ((&of == &envelope_of<Ms>::type && (hash = key_of<Ms>(key, message), true)) || ...));
    return hash;
  };
}

/// The routee that a message goes to; a count of it. Lives until the message has been sent, which it counts.
class choice {
 public:
  choice(router_state& from, const message_info& of, const void* message);
  choice(const choice&) = delete;
  choice& operator=(const choice&) = delete;
  ~choice();
  /// Null when there is none.
  cell* who() const noexcept;

 private:
  router_state& from_;
  routee* chosen_;
};

/// An answer that is an error from the beginning.
template <class R>
class failed_answer final : public typed_future<R>, public pooled {
 public:
  failed_answer(loop& home, std::exception_ptr error) : typed_future<R>(nullptr, home, 1) {
    this->result_.set_error(std::move(error));
    this->complete_with_result();
  }
  bool cancel(std::string_view) noexcept override {
    this->retrieved_ = true;
    return false;
  }

 private:
  void destroy() noexcept override { delete this; }
};

}  // namespace internal

/// One front for several actors of one protocol, its routees: it is told and asked like one actor, and passes each message to one of
/// them.
///
///     router<bank> tellers(routing::least_loaded);
///     tellers.add(spawn<account>());
///     auto cents = co_await tellers.ask(balance{});
///     auto shards = router<bank>::by_key([](const auto& m) -> int { return m.account; });   // equal keys, same actor
///
/// Routees belong to whoever spawned them; one that has ended is a routee no more. One that is known on this loop to be stopping is passed
/// over; on another loop, messages that reach it are lost or refused, as those of a ref.
///
/// Least loaded: for an actor on this loop that is the length of its mailbox, whoever filled it, and the message in hand. For one on
/// another loop it is what that loop last said of it and what this router has sent it since; it is asked again, by a note that goes the
/// way of the messages, whenever that is not nothing. Requests whose answer it has put off do not count.
///
/// By key: each routee has its place at many points of a ring, and a key belongs to the routee at the next point. With n routees, one
/// that is added takes over about 1/n of the keys, all others stay where they were; one that leaves gives its keys to all others. The next
/// one that is added takes the place of the first that has left, and so its keys. The hash is the same on every machine.
///
/// Life: this is a handle, and copies are of the same router, so it may be passed on in messages.
/// Threads: any, but `ask` on a loop; a single handle from one at a time. Messages of one sender to one routee keep their order.
/// Cost: beyond the message's own, a short lock, and what the choice takes: least loaded looks at each routee.
template <class P>
class router {
 public:
  using protocol_type = P;

  explicit router(routing how = routing::round_robin) : state_(&internal::make_router(how)) {}
  /// Messages for which `key` gives the same number or text go to the same routee. `key` takes each message of `P`; it may be called on
  /// several threads at a time. The more points each routee has, the more even are their shares, and the longer takes a change.
  template <class Key>
  static router by_key(Key key, std::size_t points_per_routee = 128) {
    return router(internal::make_router(internal::keys_of(std::move(key), static_cast<P*>(nullptr)),
                                        points_per_routee));
  }
  router(const router& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) internal::keep(*state_);
  }
  router(router&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  router& operator=(router other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~router() {
    if (state_ != nullptr) internal::let_go(*state_);
  }
  friend bool operator==(const router& a, const router& b) noexcept { return a.state_ == b.state_; }

  /// Adds a routee. Returns false when it is one already. Pre: an actor. Cost: linear in the number of routees (and their points).
  bool add(const actor_ref<P>& who) const { return internal::add_routee(checked(), who.cell()); }
  /// Takes it out. Returns false when it was none. What it has been sent stays with it.
  bool remove(const any_actor& who) const { return internal::remove_routee(checked(), who.cell()); }
  /// How many routees there are.
  std::size_t size() const { return internal::routees(checked()); }

  /// Passes `m` to a routee; with none it is a dead letter.
  /// Errors: what the key function throws.
  template <message M>
  void tell(M m) const {
    if constexpr (accepts<P, M>) {
      const internal::choice chosen(checked(), internal::envelope_of<M>::type, &m);
      auto* const sent = new internal::envelope_of<M>(std::move(m));
      if (internal::cell* const who = chosen.who()) {
        who->enqueue(*sent);
      } else {
        internal::lose(*sent);
      }
    } else {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
    }
  }

  /// Passes `m` to a routee, whose answer it is; otherwise as `actor_ref::ask`.
  /// Errors, at the await: `no_routee` when there is none.
  template <message M>
  auto ask(M m, duration timeout = default_ask_timeout) const {
    if constexpr (accepts<P, M> && request<M>) {
      using answer = decltype(std::declval<const actor_ref<P>&>().ask(std::move(m), timeout));
      const internal::choice chosen(checked(), internal::envelope_of<M>::type, &m);
      if (internal::cell* const who = chosen.who()) {
        who->retain();
        return actor_ref<P>(*who).ask(std::move(m), timeout);
      }
      return answer(future<reply_of<M>>(*new internal::failed_answer<reply_of<M>>(
          internal::running_loop("ask"), internal::no_routee_for(type_name<M>()))));
    } else {
      return actor_ref<P>().ask(std::move(m), timeout);  // says what is wrong
    }
  }

  /// Sends a copy of `message` to each routee; returns to how many.
  /// Errors: what copying it throws; those who came before have got theirs.
  template <message M>
  std::size_t broadcast(const M& message) const {
    if constexpr (!accepts<P, M>) {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
      return 0;
    } else if constexpr (!std::copy_constructible<M>) {
      static_cast<void>(sizeof(message_that_is_broadcast_cannot_be_copied<M>));
      return 0;
    } else {
      return internal::broadcast(checked(), &message, [](const void* given) -> internal::envelope* {
        return new internal::envelope_of<M>(M(*static_cast<const M*>(given)));
      });
    }
  }

 private:
  explicit router(internal::router_state& owned) noexcept : state_(&owned) {}
  internal::router_state& checked() const noexcept {
    expects(state_ != nullptr, "a router was used that was moved from");
    return *state_;
  }

  internal::router_state* state_;
};

}  // namespace troupe
