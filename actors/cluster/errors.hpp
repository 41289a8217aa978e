#pragma once

#include <troupe/actors/errors.hpp>

#include <stdexcept>
#include <string>

namespace troupe::cluster {

/// The node where the actor lives, or one that its handler needed, has gone, or nothing is heard of it: what was asked may have been done or not. Also why actors of that
/// node have ended for those who watch them.
struct node_lost : troupe::internal::ask_error_as<std::runtime_error> {
  using ask_error_as::ask_error_as;
};

/// The actor does not understand the message there, or that has other fields there: `what` has both layouts.
struct unknown_message : troupe::internal::ask_error_as<std::runtime_error> {
  using ask_error_as::ask_error_as;
};

/// The message is longer than the node takes it.
struct message_too_large : troupe::internal::ask_error_as<std::runtime_error> {
  using ask_error_as::ask_error_as;
};

/// What a handler on another node has thrown: its type and text.
struct remote_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace troupe::cluster
