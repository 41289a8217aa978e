#pragma once

#include <string>
#include <string_view>

namespace troupe::io {

/// The name of a Unix socket: a path, or, with '@' in front, an abstract name, which no file stands for and which goes with its
/// socket.
class unix_endpoint {
 public:
  /// Errors: `bad_address` for an empty name, one with a zero byte in it, or one longer than the system takes (107 bytes).
  explicit unix_endpoint(std::string_view name);

  bool is_abstract() const noexcept { return name_.front() == '@'; }
  /// As it was given.
  const std::string& name() const noexcept { return name_; }
  /// For people and logs: "unix:/run/chat".
  std::string text() const { return "unix:" + name_; }

  friend bool operator==(const unix_endpoint&, const unix_endpoint&) = default;

 private:
  std::string name_;
};

}  // namespace troupe::io
