#pragma once

#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

namespace troupe::io {

/// What goes wrong with TLS itself. What goes wrong below it (a reset, for instance) is told as what it is.
enum class tls_error {
  // of the handshake: whom one speaks to
  certificate_expired = 1,
  certificate_not_yet_valid,
  wrong_host,      ///< the certificate is for other names
  unknown_issuer,  ///< none of the authorities that are trusted has issued it
  self_signed,     ///< it has issued itself, and is not trusted
  certificate_revoked,
  certificate_invalid,  ///< anything else that is wrong with it
  certificate_missing,  ///< the peer has shown none, and one is required
  certificate_refused,  ///< the peer does not accept ours, or requires one
  // of the handshake: how one speaks
  not_tls,  ///< the peer speaks something else
  no_common_version,
  no_common_cipher,
  no_common_application_protocol,
  closed_in_handshake,
  handshake_timed_out,
  // at any time
  truncated,           ///< the peer ended without saying so: what came may not be all
  bad_record,          ///< damaged or forged on the way
  protocol_violation,  ///< what came makes no sense at this place
  alert,               ///< the peer says that something is wrong
};

const std::error_category& tls_category() noexcept;
inline std::error_code make_error_code(tls_error error) noexcept {
  return {static_cast<int>(error), tls_category()};
}

/// A handshake failed. `code` is a `tls_error`, or what the transport below failed with; the text says with whom, what was wrong and,
/// where that is known, what to do.
struct tls_failure : std::system_error {
  using std::system_error::system_error;
};

/// A context cannot be made of what it was given; the text says of what, and why.
struct tls_config_error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

}  // namespace troupe::io

template <>
struct std::is_error_code_enum<troupe::io::tls_error> : std::true_type {};
