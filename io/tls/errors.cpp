#include <troupe/io/tls/errors.hpp>
#include <troupe/io/tls/internal/openssl.hpp>

namespace troupe::io {

namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int value) const override {
    switch (static_cast<tls_error>(value)) {
      case tls_error::certificate_expired:
        return "the peer's certificate has expired";
      case tls_error::certificate_not_yet_valid:
        return "the peer's certificate is not valid yet";
      case tls_error::wrong_host:
        return "the peer's certificate is for another host";
      case tls_error::unknown_issuer:
        return "the peer's certificate comes from an authority that is not trusted";
      case tls_error::self_signed:
        return "the peer's certificate has issued itself and is not trusted";
      case tls_error::certificate_revoked:
        return "the peer's certificate has been revoked";
      case tls_error::certificate_invalid:
        return "the peer's certificate is not acceptable";
      case tls_error::certificate_missing:
        return "the peer has shown no certificate";
      case tls_error::certificate_refused:
        return "the peer does not accept our certificate, or the lack of one";
      case tls_error::not_tls:
        return "the peer does not speak TLS";
      case tls_error::no_common_version:
        return "the peer speaks no version of TLS that we do";
      case tls_error::no_common_cipher:
        return "the peer has no cipher or key exchange in common with us";
      case tls_error::no_common_application_protocol:
        return "the peer speaks no application protocol (ALPN) that we do";
      case tls_error::closed_in_handshake:
        return "the peer closed the connection during the TLS handshake";
      case tls_error::handshake_timed_out:
        return "the TLS handshake took too long";
      case tls_error::truncated:
        return "the connection ended without TLS's end of data: something may be missing";
      case tls_error::bad_record:
        return "a TLS record is damaged or forged";
      case tls_error::protocol_violation:
        return "the peer violates the TLS protocol";
      case tls_error::alert:
        return "the peer has ended TLS with an alert";
    }
    return "unknown TLS error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& tls_category() noexcept {
  static const category only;
  return only;
}

namespace internal {

unsigned long take_error() noexcept {
  const unsigned long first = ERR_get_error();
  // What TLS says of it comes after what a cipher said.
  unsigned long found = first;
  while (found != 0 && ERR_GET_LIB(found) != ERR_LIB_SSL) found = ERR_get_error();
  ERR_clear_error();
  return found != 0 ? found : first;
}

std::string reason_of(unsigned long error) {
  if (error == 0) return {};
  const char* const text = ERR_reason_error_string(error);
  return text != nullptr ? text : "error " + std::to_string(error);
}

std::string text_of(const X509_NAME* name) {
  const memory_bio into(BIO_new(BIO_s_mem()));
  // As the command line tool prints it, but with letters beyond ASCII as they are.
  constexpr unsigned long how = XN_FLAG_ONELINE & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  if (into == nullptr || X509_NAME_print_ex(into.get(), name, 0, how) < 0) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(into.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace internal
}  // namespace troupe::io
