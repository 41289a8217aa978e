#pragma once

#include <troupe/runtime/errors.hpp>

#include <stdexcept>

namespace troupe {

/// Thrown by a handler to refuse a request: the asker gets it, and the actor lives on. Anything else that a handler throws
/// is a crash.
struct rejected : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The actor asked was dead, or died before it answered.
struct actor_dead : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The mailbox of the actor has no room for the message.
struct mailbox_full : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A supervisor's children fell more often than it allows: it gives up, which is a crash of its own.
struct restarts_exhausted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The actor asked dropped the request without an answer.
struct no_reply : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The actor asked did not answer in time.
struct ask_timeout : timeout_error {
  using timeout_error::timeout_error;
};

}  // namespace troupe
