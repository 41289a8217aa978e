#pragma once

#include <troupe/actors/protocol.hpp>
#include <troupe/runtime/coro.hpp>

#include <concepts>
#include <type_traits>

namespace troupe {

template <class... Ms>
class mailbox;
template <class P>
class actor_ref;

/// Left undefined: the compiler names in one line what is wrong with a process that is spawned.
template <class Function>
struct process_has_to_return_coro_of_nothing;
template <class Function, class... Arguments>
struct process_takes_another_number_of_arguments;
template <class Parameter, class Argument>
struct process_argument_does_not_fit;
template <class Parameter, class Argument>
struct process_parameter_is_a_reference_so_pass_std_ref;

namespace internal {

/// What is known of a function whose first parameter is a mailbox.
template <class Returned, class Box, class... Parameters>
struct process_signature {
  using returned = Returned;
  using mailbox_type = Box;
};

template <class Signature>
struct process_of_signature {};
template <class R, class... Ms, class... Ps>
struct process_of_signature<R(troupe::mailbox<Ms...>&, Ps...)> {
  using type = process_signature<R, troupe::mailbox<Ms...>, Ps...>;
};

template <class F>
struct process_of_function {};
template <class F>
  requires requires { &F::operator(); }
struct process_of_function<F> : process_of_function<decltype(&F::operator())> {};
template <class R, class... Ps>
struct process_of_function<R (*)(Ps...)> : process_of_signature<R(Ps...)> {};
template <class R, class... Ps>
struct process_of_function<R (*)(Ps...) noexcept> : process_of_signature<R(Ps...)> {};
template <class R, class F, class... Ps>
struct process_of_function<R (F::*)(Ps...)> : process_of_signature<R(Ps...)> {};
template <class R, class F, class... Ps>
struct process_of_function<R (F::*)(Ps...) const> : process_of_signature<R(Ps...)> {};
template <class R, class F, class... Ps>
struct process_of_function<R (F::*)(Ps...) noexcept> : process_of_signature<R(Ps...)> {};
template <class R, class F, class... Ps>
struct process_of_function<R (F::*)(Ps...) const noexcept> : process_of_signature<R(Ps...)> {};

/// A function, or an object with one call operator, whose first parameter is a `mailbox<...>&`.
template <class F>
concept process_function = requires { typename process_of_function<F>::type; };

template <process_function F>
using process_mailbox = typename process_of_function<F>::type::mailbox_type;
template <process_function F>
using process_protocol = typename process_mailbox<F>::protocol_type;

}  // namespace internal
}  // namespace troupe
