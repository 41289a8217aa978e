#pragma once

#include <troupe/io/stream.hpp>

#include <optional>
#include <string>

namespace troupe::io {

/// What was agreed upon, and whom one speaks to.
struct tls_info {
  std::string version;       ///< "TLSv1.3"
  std::string cipher;        ///< "TLS_AES_256_GCM_SHA384"
  std::string alpn;          ///< the application protocol, or nothing
  std::string server_name;   ///< the host that the client asked for (SNI), or nothing
  std::string peer_subject;  ///< of the peer's certificate: "CN = example.org"; nothing without one
  std::string peer_fingerprint;  ///< SHA-256 of that, in hexadecimal
  bool peer_verified = false;    ///< it has a certificate, and that was verified
};

/// Of a stream over TLS; nothing of any other. Also after it has been closed.
std::optional<tls_info> tls_info_of(const stream& of);

}  // namespace troupe::io
