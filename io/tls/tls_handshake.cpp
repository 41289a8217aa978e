// The handshake of a tls_transport: doing it, and saying what went wrong with it.
#include <troupe/io/tls/internal/tls_transport.hpp>

#include <ctime>
#include <exception>
#include <string>
#include <utility>

namespace troupe::io::internal {

namespace {

std::string moment(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

/// The hosts that a certificate is for.
std::string hosts_of(X509* shown) {
  std::string all;
  auto* const names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(shown, NID_subject_alt_name, nullptr, nullptr));
  const int count = names != nullptr ? sk_GENERAL_NAME_num(names) : 0;
  constexpr int most = 10;
  for (int index = 0; index < count && index < most; ++index) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, index);
    std::string text;
    if (name->type == GEN_DNS) {
      text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                  static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      // As OpenSSL prints it: "IP Address:127.0.0.1".
      const memory_bio into(BIO_new(BIO_s_mem()));
      if (into != nullptr && GENERAL_NAME_print(into.get(), const_cast<GENERAL_NAME*>(name)) == 1) {
        char* data = nullptr;
        const long length = BIO_get_mem_data(into.get(), &data);
        text.assign(data, static_cast<std::size_t>(length));
      }
    }
    if (text.empty()) continue;
    if (!all.empty()) all += ", ";
    all += text;
  }
  if (count > most) all += ", ...";
  GENERAL_NAMES_free(names);
  return all.empty() ? "no host at all" : all;
}

std::string fingerprint_of(const X509* shown) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(shown, EVP_sha256(), digest, &size) != 1) return {};
  std::string text;
  for (unsigned index = 0; index < size; ++index) {
    static constexpr char digits[] = "0123456789abcdef";
    text += digits[digest[index] >> 4];
    text += digits[digest[index] & 15];
  }
  return text;
}

}  // namespace

int note_refused(int accepted, X509_STORE_CTX* of) noexcept {
  auto* const session =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(of, SSL_get_ex_data_X509_STORE_CTX_idx()));
  X509* const refused = X509_STORE_CTX_get_current_cert(of);
  if (accepted == 0 && session != nullptr && refused != nullptr && X509_up_ref(refused) == 1)
    static_cast<tls_transport*>(BIO_get_data(SSL_get_rbio(session)))->refused_.reset(refused);
  return accepted;
}

bool tls_transport::shake() noexcept {
  if (established_ || failure_) return true;
  int kind = SSL_ERROR_NONE;
  do {
    ERR_clear_error();
    starved_ = false;
    corked_ = true;  // what belongs together leaves together
    const int result = SSL_do_handshake(session_.get());
    corked_ = false;
    kind = SSL_get_error(session_.get(), result);
  } while (kind == SSL_ERROR_WANT_READ && !starved_ && !below_ended_ && !below_error_);
  const bool over = kind != SSL_ERROR_WANT_READ || !starved_;
  if (kind == SSL_ERROR_NONE) {
    established_ = true;
    heard_ = SSL_has_pending(session_.get()) != 0;
  } else if (over) {
    try {
      fail_handshake(kind);
    } catch (...) {  // no memory for the text
      failure_ = tls_error::protocol_violation;
    }
  }
  flush();
  return over;
}

tls_error tls_transport::verification_error() const noexcept {
  switch (SSL_get_verify_result(session_.get())) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return tls_error::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return tls_error::certificate_not_yet_valid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return tls_error::wrong_host;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
      return tls_error::unknown_issuer;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return tls_error::self_signed;
    case X509_V_ERR_CERT_REVOKED:
      return tls_error::certificate_revoked;
    default:
      return tls_error::certificate_invalid;
  }
}

/// What is to be said beside the message of `failure_`.
std::string tls_transport::explain_handshake(const std::string& reason) const {
  X509* const shown = refused_.get();
  const std::string subject =
      shown != nullptr ? text_of(X509_get_subject_name(shown)) : std::string();
  const std::string issuer =
      shown != nullptr ? text_of(X509_get_issuer_name(shown)) : std::string();
  if (failure_ == tls_error::certificate_expired && shown != nullptr)
    return "that of '" + subject + "' ended at " + moment(X509_get0_notAfter(shown)) +
           "; is the clock of this machine right?";
  if (failure_ == tls_error::certificate_not_yet_valid && shown != nullptr)
    return "that of '" + subject + "' begins at " + moment(X509_get0_notBefore(shown)) +
           "; is the clock of this machine right?";
  if (failure_ == tls_error::wrong_host && shown != nullptr)
    return "it is for " + hosts_of(shown) + ", and '" + host_ + "' was meant";
  if (failure_ == tls_error::unknown_issuer)
    return "'" + issuer + "' has issued that of '" + subject +
           "'; `trust` it, or have the server send the certificates between";
  if (failure_ == tls_error::self_signed)
    return "'" + subject + "'; `trust` it if it is the right one, whose SHA-256 is " +
           (shown != nullptr ? fingerprint_of(shown) : std::string("unknown"));
  if (failure_ == tls_error::certificate_invalid || failure_ == tls_error::certificate_revoked)
    return X509_verify_cert_error_string(SSL_get_verify_result(session_.get()));
  if (failure_ == tls_error::not_tls)
    return reason + (state_->server ? "; a plain client on a TLS port?"
                                    : "; a plain server, or the wrong port?");
  if (failure_ == tls_error::closed_in_handshake)
    return state_->server ? "a port scan, or a client that does not trust this server?"
                          : "a server that speaks no TLS, or does not want this client?";
  return reason;
}

void tls_transport::fail_handshake(int kind) {
  const unsigned long error = fail(kind);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
    failure_ = verification_error();
  else if (!failure_ || failure_ == tls_error::truncated)
    failure_ = tls_error::closed_in_handshake;
  ended_ = false;
  failure_text_ = explain_handshake(reason_of(error));
}

void tls_transport::throw_failure() const {
  std::string text = std::string("TLS ") + (state_->server ? "server, client " : "with ") +
                     (host_.empty() ? "" : host_ + ", ") + below_->peer_name();
  if (!failure_text_.empty()) text += " (" + failure_text_ + ")";
  throw tls_failure(failure_, text);
}

tls_info tls_transport::info() const {
  const SSL* const session = session_.get();
  tls_info found;
  if (!established_) return found;
  found.version = SSL_get_version(session);
  found.cipher = SSL_get_cipher_name(session);
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session, &protocol, &size);
  if (size != 0) found.alpn.assign(reinterpret_cast<const char*>(protocol), size);
  if (const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name))
    found.server_name = name;
  if (X509* const shown = SSL_get0_peer_certificate(session)) {
    found.peer_subject = text_of(X509_get_subject_name(shown));
    found.peer_fingerprint = fingerprint_of(shown);
    found.peer_verified = state_->verifies && SSL_get_verify_result(session) == X509_V_OK;
  }
  return found;
}

}  // namespace troupe::io::internal
