#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/exit_reason.hpp>

#include <stdexcept>

namespace troupe {

/// What an actor is sent when one that it is linked with has ended, or fallen, instead of ending with it: its protocol contains this
/// message (Erlang: it traps exits).
struct exited {
  any_actor who;
  exit_reason reason;
};

/// What an actor crashes with when one that it is linked with has crashed or was killed, or was dead before.
struct link_broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace internal {
template <>
inline constexpr bool is_news<exited> = true;
/// Links `one`, which lives on this loop, with `other`.
void link(cell& one, const any_actor& other);
void unlink(cell& one, const any_actor& other) noexcept;
}  // namespace internal

}  // namespace troupe
