#pragma once

#include <troupe/actors/errors.hpp>
#include <troupe/actors/exit_reason.hpp>

#include <caf/atom.hpp>
#include <caf/error.hpp>

#include <cstdint>
#include <exception>
#include <string>

namespace troupe {

/// What a CAF actor has answered an ask with, when it is an error that troupe has no name of its own for: a refusal, so that the actor which
/// asked, if it does not catch this, passes it on to whoever has asked it, and lives on.
struct caf_error : rejected {
  explicit caf_error(::caf::error given);
  const ::caf::error& error() const noexcept { return error_; }

 private:
  ::caf::error error_;
};

/// What a CAF actor gets instead of an answer of a troupe actor, for which CAF has no code: an error of the category "troupe", with the
/// text as its context. `if (error == troupe::caf_refusal::rejected) ...`
enum class caf_refusal : std::uint8_t {
  rejected = 1,  ///< the handler has thrown `rejected`
  mailbox_full,
  no_reply,  ///< the request was dropped
  deadlock,  ///< see `ask_deadlock`
};

/// For CAF, which finds them by these names.
std::string to_string(caf_refusal what);
::caf::error make_error(caf_refusal what);

namespace internal {

inline constexpr ::caf::atom_value caf_category = ::caf::atom("troupe");

/// What a failed ask is in CAF: `sec::request_receiver_down` for the dead, `sec::request_timeout`, `caf_refusal`, the error that a
/// `caf_error` holds; `sec::runtime_error`, with the text, for any other exception.
::caf::error to_caf_error(const std::exception_ptr& error);
/// The reverse. `about` says of which ask it is.
std::exception_ptr from_caf_error(const ::caf::error& error, const std::string& about);

/// Why an actor has ended: no error for what is no failure, `user_shutdown` with the runtime, `kill`, and else what it crashed with.
::caf::error to_caf_reason(const exit_reason& why);
exit_reason from_caf_reason(const ::caf::error& why);
/// For messages to people.
std::string text_of(const ::caf::error& error);

}  // namespace internal
}  // namespace troupe
