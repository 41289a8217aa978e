#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

namespace troupe::io::internal {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* owned) const noexcept {
    Free(owned);
  }
};

using ssl_context = std::unique_ptr<SSL_CTX, freed_by<&SSL_CTX_free>>;
using ssl_session = std::unique_ptr<SSL, freed_by<&SSL_free>>;
using certificate = std::unique_ptr<X509, freed_by<&X509_free>>;
using private_key = std::unique_ptr<EVP_PKEY, freed_by<&EVP_PKEY_free>>;
using memory_bio = std::unique_ptr<BIO, freed_by<&BIO_free_all>>;

/// The first error of TLS that OpenSSL noted on this thread, or else the first of all, or 0; the notes are gone then.
unsigned long take_error() noexcept;
/// What that means, in OpenSSL's words.
std::string reason_of(unsigned long error);
inline std::string openssl_reason() { return reason_of(take_error()); }

/// What a name in a certificate looks like to people: "CN = example.org, O = Example".
std::string text_of(const X509_NAME* name);

/// OpenSSL's callback for each certificate that it does not accept: has the session remember it. In tls_handshake.cpp.
int note_refused(int accepted, X509_STORE_CTX* of) noexcept;

/// What all sessions of a context share. It outlives them: OpenSSL's callbacks look into it.
struct tls_state {
  ssl_context context;
  bool server = false;
  bool verifies = true;
  std::vector<unsigned char> alpn;  ///< each with its length before it, as it is sent
  struct other {
    std::string host;
    ssl_context context;
  };
  std::vector<other> others;  ///< a server's, for other hosts
};

}  // namespace troupe::io::internal
