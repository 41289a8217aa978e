#pragma once

#include <troupe/io/tls/internal/openssl.hpp>
#include <troupe/io/tls/pem.hpp>

#include <string>
#include <vector>

namespace troupe::io::internal {

// All of these throw tls_config_error, which names the file, or says that it was a text, and `what` it was to be.

/// Every certificate in it, in order; one at least.
std::vector<certificate> load_certificates(const pem& from, const std::string& what);
private_key load_key(const pem& from, const std::string& what);

/// Gives a context the certificate and key to show.
void use_identity(SSL_CTX& context, const tls_identity& shown, const std::string& whose);

}  // namespace troupe::io::internal
