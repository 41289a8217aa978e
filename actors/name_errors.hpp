#pragma once

#include <stdexcept>

namespace troupe {

/// A name was registered that another actor holds; the text says which.
struct name_taken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What was found under a name is something else than was asked for: an actor that does not understand all of the protocol, a topic
/// of another message.
struct name_mismatch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace troupe
