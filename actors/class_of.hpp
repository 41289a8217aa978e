#pragma once

#include <troupe/actors/actor_class.hpp>
#include <troupe/actors/dispatch.hpp>
#include <troupe/actors/mailbox_options.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/type_name.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>

namespace troupe {
struct exited;
}

namespace troupe::internal {

/// Sends an `M` made of who has ended and why. A template, for `M` is complete only where somebody understands it.
template <class M>
void tell_of_end(cell& to, cell& ended, const exit_reason& why) {
  to.put_news(*new envelope_of<M>(M{decltype(M::who)::of(ended), why}));
}

/// The name of the class in messages to people: its own, unless it has another.
template <class A>
constexpr std::string_view class_name() noexcept {
  if constexpr (requires { A::class_name; }) {
    return A::class_name;
  } else {
    return type_name<A>();
  }
}

template <class A>
struct class_of {
  using protocol_type = typename A::protocol_type;

  static void destroy(cell& dead) noexcept {
    auto& object = static_cast<cell_of<A>&>(dead).object;
    if constexpr (has_states<A>) A::states_type::drop(object);
    object.~A();
  }

  static void start(cell& owner) {
    auto& object = static_cast<cell_of<A>&>(owner).object;
    if constexpr (has_states<A>) {
      A::states_type::start(owner, object);
    } else if constexpr (is_coro<decltype(object.on_start())>) {
      start_activity(owner, object.on_start(), start_end{}, nullptr);
    } else {
      object.on_start();
    }
  }
  static void idle(cell& owner) {
    auto& object = static_cast<cell_of<A>&>(owner).object;
    if constexpr (is_coro<decltype(object.on_idle())>) {
      start_activity<interleaves_some<A> ? waits::some : waits::all>(owner, object.on_idle(),
                                                                     start_end{}, nullptr);
    } else {
      object.on_idle();
    }
  }
  static void stop(cell& owner) {
    auto& object = static_cast<cell_of<A>&>(owner).object;
    if constexpr (is_coro<decltype(object.on_stop())>) {
      start_activity(owner, object.on_stop(), stop_end{}, nullptr);
    } else {
      object.on_stop();
    }
  }

  // A private on_start, on_stop or on_idle is an error here, not one that is never called.
  static constexpr bool has_start =
      has_states<A> || !std::same_as<decltype(&A::on_start), decltype(&A::actor_type::on_start)>;
  static constexpr bool has_stop =
      !std::same_as<decltype(&A::on_stop), decltype(&A::actor_type::on_stop)>;
  static constexpr bool has_idle =
      !std::same_as<decltype(&A::on_idle), decltype(&A::actor_type::on_idle)>;

  // Apart from the pointers, which g++ does not compare with null when compiling with -fsanitize=undefined.
  static constexpr bool has_bound =
      requires { requires std::same_as<decltype(A::mailbox), const mailbox_options>; };
  static constexpr bool has_limits = requires { &A::limits[0].type; };

  static constexpr const mailbox_options* bound() {
    if constexpr (has_bound) return &A::mailbox;
    return nullptr;
  }
  static constexpr const message_limit* limits() {
    if constexpr (has_limits) return A::limits;
    return nullptr;
  }
  static constexpr std::size_t limit_count() {
    if constexpr (has_limits) return sizeof A::limits / sizeof *A::limits;
    return 0;
  }

  static constexpr auto send_exited() -> void (*)(cell&, cell&, const exit_reason&) {
    if constexpr (accepts<protocol_type, exited>)
      return [](cell& to, cell& ended, const exit_reason& why) {
        tell_of_end<exited>(to, ended, why);
      };
    else
      return nullptr;
  }

  static constexpr auto interleaved() noexcept {
    using known = bool (*)(const message_info&) noexcept;
    if constexpr (interleaves_some<A>) {
      return known(&interleaved_messages<A, protocol_type>::contain);
    } else {
      return known(nullptr);
    }
  }

  static constexpr actor_class table{class_name<A>(),
                                     sizeof(cell_of<A>),
                                     &destroy,
                                     has_start ? &start : nullptr,
                                     has_stop ? &stop : nullptr,
                                     bound(),
                                     limits(),
                                     limit_count(),
                                     send_exited(),
                                     has_idle ? &idle : nullptr,
                                     interleaved()};
};

}  // namespace troupe::internal
