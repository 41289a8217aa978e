#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/process_core.hpp>
#include <troupe/actors/process_function.hpp>
#include <troupe/actors/process_mailbox.hpp>
#include <troupe/actors/received.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/supervise.hpp>

#include <concepts>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

/// What names a process in messages to people.
template <class... Ms>
struct process;

namespace internal {

/// What `std::ref` makes: passed on as it is.
template <class T>
concept reference_to_something = requires(T& wrapper) {
  typename T::type;
  { wrapper.get() } -> std::same_as<typename T::type&>;
};

/// As what an argument for the parameter `P` is kept until the process starts: as what the process takes, so that a parameter which
/// is a reference has something to refer to.
template <class P, class Arg>
struct kept_argument {
  using type = std::decay_t<P>;
};
template <class P, reference_to_something Arg>
struct kept_argument<P, Arg> {
  using type = Arg;
};

template <class P, class Arg>
inline constexpr bool lacks_ref =
    std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>> &&
    !reference_to_something<Arg>;
template <class P, class Arg>
inline constexpr bool argument_fits =
    !lacks_ref<P, Arg> && std::is_convertible_v<Arg, typename kept_argument<P, Arg>::type> &&
    std::is_convertible_v<typename kept_argument<P, Arg>::type, P>;

template <class Signature, class... Args>
inline constexpr bool process_fits = false;
template <class Box, class... Ps, class... Args>
  requires(sizeof...(Ps) == sizeof...(Args))
inline constexpr bool process_fits<process_signature<coro<>, Box, Ps...>, Args...> =
    (argument_fits<Ps, Args> && ...);

template <class P, class Arg>
void explain_argument() {
  if constexpr (lacks_ref<P, Arg>) {
    static_cast<void>(sizeof(process_parameter_is_a_reference_so_pass_std_ref<P, Arg>));
  } else if constexpr (!argument_fits<P, Arg>) {
    static_cast<void>(sizeof(process_argument_does_not_fit<P, Arg>));
  }
}

/// Says in one line why a process cannot be spawned with these arguments.
template <class F, class... Args, class R, class Box, class... Ps>
void explain_process(process_signature<R, Box, Ps...>) {
  if constexpr (!std::is_same_v<R, coro<>>) {
    static_cast<void>(sizeof(process_has_to_return_coro_of_nothing<F>));
  } else if constexpr (sizeof...(Ps) != sizeof...(Args)) {
    static_cast<void>(sizeof(process_takes_another_number_of_arguments<F, Args...>));
  } else {
    (explain_argument<Ps, Args>(), ...);
  }
}

struct process_base {
  void on_start() {}
  void on_idle() {}  // no process asks for that
  void on_stop() {}
};

/// A process as an actor: its function, which stays alive as long as its coroutine, and the arguments.
template <class F, class R, class... Ms, class... Ps, class... Args>
class process_object<F, process_signature<R, troupe::mailbox<Ms...>, Ps...>, Args...>
    : public process_base {
 public:
  using protocol_type = protocol<Ms...>;
  using actor_type = process_base;
  static constexpr std::string_view class_name = type_name<process<Ms...>>();

  template <class... Given>
  explicit process_object(F function, Given&&... given)
      : function_(std::move(function)), arguments_(std::forward<Given>(given)...) {}

  void on_start() {
    inbox_.begin(std::apply([this](auto&... each) { return function_(inbox_, std::move(each)...); },
                            arguments_));
  }

  /// What spawn looks for. No message is handled: it waits in the mailbox.
  template <request M>
  reply_of<M> on(M&&);
  template <message M>
  void on(M&&);

  process_core& core() noexcept { return inbox_; }

 private:
  troupe::mailbox<Ms...> inbox_;
  F function_;
  std::tuple<typename kept_argument<Ps, Args>::type...> arguments_;
};

template <class F, class Signature, class... Args, class... Ms>
struct turn_of<process_object<F, Signature, Args...>, protocol<Ms...>> {
  static void run(work& item) noexcept {
    auto& owner = static_cast<cell_of<process_object<F, Signature, Args...>>&>(item);
    process_core::turn(owner, owner.object.core());
  }
};

template <process_function F, class... Args>
using process_class = process_object<F, typename process_of_function<F>::type, Args...>;

template <process_function F, class... Args>
actor_ref<process_protocol<F>> spawn_process(cell* parent, F function, Args&&... args) {
  using signature = typename process_of_function<F>::type;
  if constexpr (process_fits<signature, std::decay_t<Args>...>) {
    return spawn_here<process_class<F, std::decay_t<Args>...>>(parent, nullptr, std::move(function),
                                                               std::forward<Args>(args)...);
  } else {
    explain_process<F, std::decay_t<Args>...>(signature());
  }
}
template <process_function F, class... Args>
actor_ref<process_protocol<F>> spawn_process_placed(cell* parent, const spawn_options& options,
                                                    F function, Args&&... args) {
  using signature = typename process_of_function<F>::type;
  if constexpr (process_fits<signature, std::decay_t<Args>...>) {
    return spawn_placed<process_class<F, std::decay_t<Args>...>>(
        parent, options, std::move(function), std::forward<Args>(args)...);
  } else {
    explain_process<F, std::decay_t<Args>...>(signature());
  }
}

template <process_function F, class... Args>
actor_ref<process_protocol<F>> supervise_process(cell& parent, const child_options& options,
                                                 F function, Args&&... args) {
  using signature = typename process_of_function<F>::type;
  if constexpr (process_fits<signature, std::decay_t<Args>...>) {
    return supervise<process_class<F, std::decay_t<Args>...>>(parent, options, std::move(function),
                                                              std::forward<Args>(args)...);
  } else {
    explain_process<F, std::decay_t<Args>...>(signature());
  }
}

}  // namespace internal

/// Starts a process: an actor that is one coroutine, `coro<> function(mailbox<Ms...>& inbox, parameters...)`, whose place in the code is
/// its state. `function` is a function or an object with one call operator, such as a lambda, which is kept as long as it runs.
/// The arguments are kept until it starts, in the types of the parameters; `std::ref` for references.
///
/// Life: it starts in the loop's next round and ends when the coroutine returns, with `exit_reason::kind::stopped`, or throws, which is a
/// crash, also for `rejected`. `stop` closes the mailbox, where requests fail with `actor_dead`, and cancels the coroutine where it waits,
/// once: it may catch `cancelled`, clean up, also with awaits that are no receives, and end. `kill` cancels it for good: every await
/// throws. `stop_when_drained` waits until a receive finds nothing that it wants. When it has ended, its tasks are cancelled and its
/// children stopped. The runtime owns it, or, where `spawn` is the
/// member of a class of actors or of a mailbox, that actor.
/// Cost: two pooled allocations more than an actor of a class, the coroutine's frame and its task.
template <internal::process_function F, class... Args>
auto spawn(F function, Args&&... args) {
  return internal::spawn_process(nullptr, std::move(function), std::forward<Args>(args)...);
}
/// As above, with a name or a place: `spawn({.name = "pong"}, ponger)`.
template <internal::process_function F, class... Args>
auto spawn(spawn_options options, F function, Args&&... args) {
  return internal::spawn_process_placed(nullptr, options, std::move(function),
                                        std::forward<Args>(args)...);
}
template <internal::process_function F, class... Args>
auto spawn(place on, F function, Args&&... args) {
  return internal::spawn_process_placed(nullptr, {.name = {}, .on = on, .mailbox = {}},
                                        std::move(function), std::forward<Args>(args)...);
}

}  // namespace troupe
