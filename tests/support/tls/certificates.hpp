// Certificates for tests, made while they run: right ones, and those with each of the usual faults.
#pragma once

#include <troupe/io/tls/pem.hpp>

#include <string>

namespace troupe::testing {

/// What a certificate is to say. Times are seconds from now.
struct certificate_request {
  std::string name = "test";
  std::string hosts = "DNS:localhost,DNS:example.test,IP:127.0.0.1";
  long begins = -3600;
  long ends = 86400;
  bool authority = false;  ///< it may issue others
};

/// A certificate and its key, in PEM form.
struct issued_certificate {
  std::string certificate;
  std::string key;

  io::tls_identity identity() const { return {io::pem::text(certificate), io::pem::text(key)}; }
  io::pem trusted() const { return io::pem::text(certificate); }
};

/// One that has issued itself.
issued_certificate issue(const certificate_request& wanted);
issued_certificate issue(const certificate_request& wanted, const issued_certificate& issuer);
/// The same key behind a password.
std::string encrypted(const std::string& key);

}  // namespace troupe::testing
