#pragma once

#include <string>
#include <utility>

namespace troupe::io {

/// Certificates or a key in PEM form ("-----BEGIN ..."), in a file or as text. Read when a context is made of it.
class pem {
 public:
  static pem file(std::string path) { return pem(std::move(path), true); }
  static pem text(std::string text) { return pem(std::move(text), false); }

  bool is_file() const noexcept { return is_file_; }
  /// The path, or the text.
  const std::string& value() const noexcept { return value_; }

 private:
  pem(std::string value, bool is_file) noexcept : value_(std::move(value)), is_file_(is_file) {}
  std::string value_;
  bool is_file_;
};

/// What one shows to prove who one is.
class tls_identity {
 public:
  /// `chain`: the certificate itself, then those of its issuers, without the last; `key`: its private key, not encrypted.
  tls_identity(pem chain, pem key) noexcept : chain_(std::move(chain)), key_(std::move(key)) {}
  const pem& chain() const noexcept { return chain_; }
  const pem& key() const noexcept { return key_; }

 private:
  pem chain_;
  pem key_;
};

/// A new key and a certificate for `host`, a name or an IP address, that has issued itself and is good for a month. For tests and for
/// work on one's own machine: a client trusts it with `tls_client().trust(identity.chain())`.
/// Errors: std::runtime_error when OpenSSL cannot make it.
tls_identity self_signed_identity(const std::string& host);

}  // namespace troupe::io
