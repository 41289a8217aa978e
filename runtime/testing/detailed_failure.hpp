#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::testing {

/// A failure whose text tells of one run in particular: a chart of it, a list of commands. `explore` simplifies a run into one that fails in
/// the same way, and what that is cannot be told from such a text: so the failure says its kind.
class detailed_failure : public std::runtime_error {
 public:
  detailed_failure(std::string kind, const std::string& text)
      : std::runtime_error(text), kind_(std::move(kind)) {}
  /// The same for all that are alike.
  const std::string& kind() const noexcept { return kind_; }

 private:
  std::string kind_;
};

}  // namespace troupe::testing
