#include "support/tls/certificates.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

namespace troupe::testing {

namespace {

void expect(bool worked) {
  if (!worked) throw std::runtime_error("a certificate for a test cannot be made");
}

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* owned) const noexcept {
    Free(owned);
  }
};
using bio = std::unique_ptr<BIO, freed<&BIO_free_all>>;
using key_pointer = std::unique_ptr<EVP_PKEY, freed<&EVP_PKEY_free>>;
using certificate_pointer = std::unique_ptr<X509, freed<&X509_free>>;

std::string text_in(BIO* of) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(of, &data);
  return {data, static_cast<std::size_t>(size)};
}

key_pointer read_key(const std::string& text) {
  const bio from(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  key_pointer key(PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr));
  expect(key != nullptr);
  return key;
}

std::string write_key(EVP_PKEY* key, const EVP_CIPHER* cipher, const std::string& password) {
  const bio into(BIO_new(BIO_s_mem()));
  expect(PEM_write_bio_PrivateKey(into.get(), key, cipher,
                                  reinterpret_cast<const unsigned char*>(password.data()),
                                  static_cast<int>(password.size()), nullptr, nullptr) == 1);
  return text_in(into.get());
}

void extend(X509* made, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, made, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  expect(extension != nullptr);
  expect(X509_add_ext(made, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

issued_certificate make(const certificate_request& wanted, const issued_certificate* issuer) {
  const key_pointer key(EVP_EC_gen("P-256"));
  const certificate_pointer made(X509_new());
  expect(key != nullptr && made != nullptr);
  certificate_pointer issuing;
  key_pointer signing;
  if (issuer != nullptr) {
    const bio from(
        BIO_new_mem_buf(issuer->certificate.data(), static_cast<int>(issuer->certificate.size())));
    issuing.reset(PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr));
    expect(issuing != nullptr);
    signing = read_key(issuer->key);
  }
  static long number = 1000;
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++number);
  expect(X509_set_version(made.get(), X509_VERSION_3) == 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), wanted.begins);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), wanted.ends);
  expect(X509_set_pubkey(made.get(), key.get()) == 1);
  X509_NAME* const name = X509_get_subject_name(made.get());
  expect(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1,
                                    -1, 0) == 1);
  X509* const by = issuing != nullptr ? issuing.get() : made.get();
  expect(X509_set_issuer_name(made.get(), X509_get_subject_name(by)) == 1);
  if (!wanted.hosts.empty()) extend(made.get(), by, NID_subject_alt_name, wanted.hosts);
  extend(made.get(), by, NID_basic_constraints,
         wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  extend(made.get(), by, NID_subject_key_identifier, "hash");
  extend(made.get(), by, NID_authority_key_identifier, "keyid:always");
  expect(X509_sign(made.get(), signing != nullptr ? signing.get() : key.get(), EVP_sha256()) != 0);
  const bio into(BIO_new(BIO_s_mem()));
  expect(PEM_write_bio_X509(into.get(), made.get()) == 1);
  return {text_in(into.get()), write_key(key.get(), nullptr, "")};
}

}  // namespace

issued_certificate issue(const certificate_request& wanted) { return make(wanted, nullptr); }
issued_certificate issue(const certificate_request& wanted, const issued_certificate& issuer) {
  return make(wanted, &issuer);
}
std::string encrypted(const std::string& key) {
  return write_key(read_key(key).get(), EVP_aes_256_cbc(), "secret");
}

}  // namespace troupe::testing
