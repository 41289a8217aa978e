#include <troupe/io/tls/internal/openssl.hpp>
#include <troupe/io/tls/pem.hpp>

#include <openssl/rand.h>

#include <stdexcept>

namespace troupe::io {

namespace {

void expect(bool worked) {
  if (!worked)
    throw std::runtime_error("OpenSSL cannot make a certificate: " + internal::openssl_reason());
}

void extend(X509& made, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &made, &made, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  expect(extension != nullptr);
  const bool added = X509_add_ext(&made, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  expect(added);
}

template <class Write>
std::string pem_of(Write write) {
  const internal::memory_bio into(BIO_new(BIO_s_mem()));
  expect(into != nullptr && write(into.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(into.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace

tls_identity self_signed_identity(const std::string& host) {
  ERR_clear_error();
  // A list of names has a syntax, which a name must not use.
  if (host.empty() || host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789.-_:*") != std::string::npos)
    throw std::runtime_error("'" + host + "' is neither the name of a host nor an IP address");
  const internal::private_key key(EVP_EC_gen("P-256"));
  const internal::certificate made(X509_new());
  expect(key != nullptr && made != nullptr);
  X509& certificate = *made;
  constexpr long hour = 3600;
  unsigned char number[8];
  expect(RAND_bytes(number, sizeof number) == 1);
  number[0] &= 0x7f;  // a positive one
  const std::unique_ptr<BIGNUM, internal::freed_by<&BN_free>> serial(
      BN_bin2bn(number, sizeof number, nullptr));
  expect(serial != nullptr &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(&certificate)) != nullptr);
  expect(X509_set_version(&certificate, X509_VERSION_3) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(&certificate), -hour) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(&certificate), 31 * 24 * hour) != nullptr &&
         X509_set_pubkey(&certificate, key.get()) == 1);
  X509_NAME* const name = X509_get_subject_name(&certificate);
  expect(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(host.c_str()), -1, -1,
                                    0) == 1 &&
         X509_set_issuer_name(&certificate, name) == 1);
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(host.c_str());
  ERR_clear_error();
  extend(certificate, NID_subject_alt_name, (address != nullptr ? "IP:" : "DNS:") + host);
  ASN1_OCTET_STRING_free(address);
  extend(certificate, NID_basic_constraints, "critical,CA:FALSE");
  expect(X509_sign(&certificate, key.get(), EVP_sha256()) != 0);
  return tls_identity(
      pem::text(pem_of([&](BIO* into) { return PEM_write_bio_X509(into, &certificate); })),
      pem::text(pem_of([&](BIO* into) {
        return PEM_write_bio_PrivateKey(into, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      })));
}

}  // namespace troupe::io
