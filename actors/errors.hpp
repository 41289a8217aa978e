#pragma once

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/time.hpp>

#include <stdexcept>
#include <string>
#include <utility>

namespace troupe {

/// Thrown by a handler to refuse a request: the asker gets it, and the actor lives on. Anything else that a handler throws
/// is a crash.
struct rejected : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What is known of an ask that has failed. Empty where it is not known.
struct failed_ask {
  std::string target;   ///< who was asked: "account 'savings'"
  std::string message;  ///< what: the name of the message's type
  std::string
      state;  ///< of the target, then: "alive, 3 messages queued"; its loop, when that is another
  duration waited{};               ///< how long; zero for less than a round of the asker's loop
  const void* identity = nullptr;  ///< tells the ask from others
};

/// What the errors of asks have in common, to catch them all: those that the asked actor did not throw. No std::exception itself, for
/// each of them is one already.
class ask_error {
 public:
  virtual ~ask_error() = default;
  const failed_ask& ask() const noexcept { return ask_; }
  /// What `what()` of the same error says.
  const char* text() const noexcept { return text_.c_str(); }

  /// For the asker's loop, which knows how long it was.
  void set_waited(duration waited);

 protected:
  explicit ask_error(std::string text) : text_(std::move(text)) {}
  ask_error(failed_ask ask, std::string text) : ask_(std::move(ask)), text_(std::move(text)) {}

 private:
  failed_ask ask_;
  std::string text_;
};

namespace internal {
template <class Base>
struct ask_error_as : Base, ask_error {
  explicit ask_error_as(const std::string& text) : Base(text), ask_error(text) {}
  ask_error_as(failed_ask ask, const std::string& text)
      : Base(text), ask_error(std::move(ask), text) {}
  const char* what() const noexcept override { return text(); }
};
}  // namespace internal

/// The actor asked was dead, or died before it answered.
struct actor_dead : internal::ask_error_as<std::runtime_error> {
  using ask_error_as::ask_error_as;
};

/// The mailbox of the actor has no room for the message.
struct mailbox_full : internal::ask_error_as<std::runtime_error> {
  using ask_error_as::ask_error_as;
};

/// A supervisor's children fell more often than it allows: it gives up, which is a crash of its own.
struct restarts_exhausted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The actor asked dropped the request without an answer.
struct no_reply : internal::ask_error_as<std::runtime_error> {
  using ask_error_as::ask_error_as;
};

/// The actor asked did not answer in time.
struct ask_timeout : internal::ask_error_as<timeout_error> {
  using ask_error_as::ask_error_as;
};

/// The ask, or send, has closed a circle of actors whose handlers, or processes, wait for each other's answers or for room in each other's
/// mailboxes: none could ever come. What it says names each.
struct ask_deadlock : internal::ask_error_as<std::runtime_error> {
  using ask_error_as::ask_error_as;
};

}  // namespace troupe
