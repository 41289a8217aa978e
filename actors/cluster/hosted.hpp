#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/cluster/codec.hpp>
#include <troupe/actors/cluster/placement.hpp>
#include <troupe/actors/router.hpp>
#include <troupe/runtime/callable.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

// Keys, and how the actors of keys are made.

namespace troupe::cluster::internal {

/// The same on every machine, whatever has compiled it.
template <class Key>
std::uint64_t hash_of_key(const Key& key) {
  using troupe::internal::hash_key;
  if constexpr (std::is_enum_v<Key> || std::integral<Key> ||
                std::convertible_to<const Key&, std::string_view>) {
    return hash_key(key);
  } else {
    writer bytes;
    put_value(bytes, key);
    return troupe::internal::hash_text(bytes.take().text());
  }
}
struct key_hash {
  template <class Key>
  std::size_t operator()(const Key& key) const {
    return static_cast<std::size_t>(hash_of_key(key));
  }
};

template <class A>
struct state_of {
  using type = void;
};
template <class A>
  requires requires(A& object) { object.hand_over(); }
struct state_of<A> {
  using type = decltype(std::declval<A&>().hand_over());
};

/// An actor that says at its end what the next of its key is to begin with.
template <class A>
class outgoing final : public A {
 public:
  using state = typename state_of<A>::type;
  static constexpr std::string_view class_name = troupe::internal::class_name<A>();

  template <class... Args>
  explicit outgoing(std::shared_ptr<std::optional<state>> left, Args&&... args)
      : A(std::forward<Args>(args)...), left_(std::move(left)) {}

  auto on_stop() {
    if constexpr (std::is_void_v<decltype(A::on_stop())>) {
      A::on_stop();
      left_->emplace(this->hand_over());
    } else {
      return wait_and_leave();
    }
  }

 private:
  coro<> wait_and_leave() {
    co_await A::on_stop();
    left_->emplace(this->hand_over());
  }
  std::shared_ptr<std::optional<state>> left_;
};

/// What `outgoing` leaves, for the parent to look at.
template <class State>
struct state_held {
  std::shared_ptr<std::optional<State>> left = std::make_shared<std::optional<State>>();
};
template <>
struct state_held<void> {};

/// Left undefined: the compiler names all in the one line that says what is wrong with a shard.
template <class Actor, class Key, class... Arguments>
struct actor_of_a_shard_has_no_constructor_for_its_key_and;
template <class Actor, class Key, class State, class... Arguments>
struct actor_of_a_shard_has_no_constructor_for_its_key_and_what_is_handed_over_and;

/// Where no actors are.
struct no_host {
  using state = void;
};

/// Makes the actors of keys.
template <class Key, class A>
struct host_of {
  using actor = A;
  using state = typename state_of<A>::type;
  using made = actor_ref<typename A::protocol_type>;
  /// A child of `parent`, that begins with `given` where that is not null.
  callable<made(troupe::internal::cell& parent, const spawn_options& how, const Key& key,
                const state_held<state>& left, state* given)>
      start;

  template <class... Args>
  static host_of with(Args... args) {
    if constexpr (std::constructible_from<A, const Key&, const Args&...>) {
      return {[... args = std::move(args)](troupe::internal::cell& parent, const spawn_options& how,
                                           const Key& key,
                                           [[maybe_unused]] const state_held<state>& left,
                                           [[maybe_unused]] state* given) -> made {
        using troupe::internal::spawn_placed;
        if constexpr (std::is_void_v<state>) {
          return spawn_placed<A>(&parent, how, key, args...);
        } else if constexpr (std::constructible_from<A, const Key&, state, const Args&...>) {
          if (given != nullptr)
            return spawn_placed<outgoing<A>>(&parent, how, left.left, key, std::move(*given),
                                             args...);
          return spawn_placed<outgoing<A>>(&parent, how, left.left, key, args...);
        } else {
          static_cast<void>(
              sizeof(actor_of_a_shard_has_no_constructor_for_its_key_and_what_is_handed_over_and<
                     A, Key, state, Args...>));
        }
      }};
    } else {
      static_cast<void>(
          sizeof(actor_of_a_shard_has_no_constructor_for_its_key_and<A, Key, Args...>));
    }
  }
};

/// What a handle looks at: the actors of this node, by partitions.
template <class Key, class P, class State>
struct region_view {
  struct local : state_held<State> {
    actor_ref<P> ref;
    bool awaited = false;  ///< a message waits for its end
  };
  std::optional<placement> places;
  std::vector<std::unordered_map<Key, local, key_hash>> actors;
};

}  // namespace troupe::cluster::internal
