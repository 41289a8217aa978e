#include <troupe/io/tls/errors.hpp>
#include <troupe/io/tls/internal/load_pem.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <system_error>
#include <utility>

namespace troupe::io::internal {

namespace {

std::string place_of(const pem& from) {
  return from.is_file() ? "the file " + from.value() : std::string("the text given for it");
}

[[noreturn]] void refuse(const pem& from, const std::string& what, const std::string& why) {
  throw tls_config_error(what + ": " + place_of(from) + " " + why);
}

/// The text, of a file too.
std::string read(const pem& from, const std::string& what) {
  if (!from.is_file()) return from.value();
  constexpr std::size_t most = std::size_t{1} << 24;
  struct close_file {
    void operator()(std::FILE* open) const noexcept { std::fclose(open); }
  };
  const std::unique_ptr<std::FILE, close_file> file(std::fopen(from.value().c_str(), "rbe"));
  if (file == nullptr)
    refuse(from, what, "cannot be opened: " + std::generic_category().message(errno));
  std::string text;
  char part[4096];
  errno = 0;
  while (const std::size_t got = std::fread(part, 1, sizeof part, file.get())) {
    text.append(part, got);
    if (text.size() > most) refuse(from, what, "is larger than 16 MiB");
  }
  if (std::ferror(file.get()) != 0)
    refuse(from, what, "cannot be read: " + std::generic_category().message(errno));
  return text;
}

memory_bio bio_over(const std::string& text) {
  memory_bio made(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (made == nullptr) throw std::bad_alloc();
  return made;
}

/// OpenSSL would ask at the terminal.
int refuse_password(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

std::vector<certificate> load_certificates(const pem& from, const std::string& what) {
  const std::string text = read(from, what);
  const memory_bio source = bio_over(text);
  std::vector<certificate> found;
  ERR_clear_error();
  bool asked = false;
  while (X509* const next = PEM_read_bio_X509(source.get(), nullptr, &refuse_password, &asked))
    found.emplace_back(next);
  // That there are no more is an error as well.
  const unsigned long last = ERR_peek_last_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    refuse(from, what,
           "holds a certificate that cannot be read, after " + std::to_string(found.size()) +
               " that can: " + openssl_reason());
  ERR_clear_error();
  if (found.empty())
    refuse(from, what, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  return found;
}

private_key load_key(const pem& from, const std::string& what) {
  const std::string text = read(from, what);
  const memory_bio source = bio_over(text);
  bool asked = false;
  ERR_clear_error();
  private_key key(PEM_read_bio_PrivateKey(source.get(), nullptr, &refuse_password, &asked));
  if (key != nullptr) return key;
  const bool none = text.find("PRIVATE KEY-----") == std::string::npos;
  const std::string reason = openssl_reason();
  if (asked) refuse(from, what, "is encrypted; decrypt it first, for instance with `openssl pkey`");
  if (none) refuse(from, what, "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  refuse(from, what, "holds a key that cannot be read: " + reason);
}

void use_identity(SSL_CTX& context, const tls_identity& shown, const std::string& whose) {
  const std::string chain_name = "the certificate of " + whose;
  const std::string key_name = "the key of " + whose;
  std::vector<certificate> chain = load_certificates(shown.chain(), chain_name);
  const private_key key = load_key(shown.key(), key_name);
  ERR_clear_error();
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    throw tls_config_error(key_name + " (" + place_of(shown.key()) +
                           ") does not belong to the certificate (" + place_of(shown.chain()) +
                           "), whose subject is " +
                           text_of(X509_get_subject_name(chain.front().get())));
  }
  if (SSL_CTX_use_certificate(&context, chain.front().get()) != 1)
    refuse(shown.chain(), chain_name, "is of no use: " + openssl_reason());
  for (std::size_t index = 1; index < chain.size(); ++index)
    if (SSL_CTX_add1_chain_cert(&context, chain[index].get()) != 1)
      refuse(shown.chain(), chain_name, "has an issuer of no use: " + openssl_reason());
  if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1)
    refuse(shown.key(), key_name, "is of no use: " + openssl_reason());
}

}  // namespace troupe::io::internal
