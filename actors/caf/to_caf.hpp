#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/caf/facade.hpp>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

namespace troupe {

/// The troupe actor as an actor of CAF, for its actors to send to, ask, monitor, link with, and tell to exit; `caf_form` says how its
/// messages look there. The same actor always has the same handle; one that came `from_caf` has the one that it had there.
///
/// What its protocol does not have is answered with `sec::unexpected_message`, and dropped when it was only sent. Errors of asks are as
/// `caf_refusal` says. When it ends, `down_msg` and `exit_msg` say why: no error when it was stopped, `kill`, or `sec::runtime_error` with
/// the text of what it crashed with. An exit that comes from CAF stops it; `kill` kills it; one of a linked actor that has failed crashes
/// it with `link_broken`, unless its protocol has `exited`. An exit without an error changes nothing.
/// Errors: `invalid_state` off a loop, or when its runtime has no caf_system; std::invalid_argument for nobody.
/// Threads: a loop of the caf_system.
template <class P>
::caf::actor to_caf(const actor_ref<P>& ref) {
  return ::caf::actor_cast<::caf::actor>(
      internal::caf_handle_of(ref.cell(), internal::caf_table_of<P>::value));
}

}  // namespace troupe
