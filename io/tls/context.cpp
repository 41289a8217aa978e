#include <troupe/io/tls/context.hpp>
#include <troupe/io/tls/internal/load_pem.hpp>
#include <troupe/io/tls/internal/openssl.hpp>

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace troupe::io {

namespace {

using internal::certificate;
using internal::openssl_reason;
using internal::ssl_context;
using internal::tls_state;

ssl_context new_context(const SSL_METHOD* method, tls_version minimum) {
  ERR_clear_error();
  ssl_context made(SSL_CTX_new(method));
  if (made == nullptr) throw tls_config_error("OpenSSL makes no context: " + openssl_reason());
  SSL_CTX* const raw = made.get();
  SSL_CTX_set_min_proto_version(raw,
                                minimum == tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // A record comes with one read, and buffers are given back while nothing is under way.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A peer that sends what is not data must not keep a call busy.
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);
  // Sessions go on by tickets, which the clients keep, and not by a table here that would grow.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  return made;
}

void trust(SSL_CTX& context, const pem& authorities, const std::string& what) {
  X509_STORE* const store = SSL_CTX_get_cert_store(&context);
  for (const certificate& each : internal::load_certificates(authorities, what)) {
    if (X509_STORE_add_cert(store, each.get()) != 1)
      throw tls_config_error(what + ": a certificate is of no use: " + openssl_reason());
  }
}

bool there(const char* variable, const char* otherwise) {
  const char* const given = std::getenv(variable);
  return ::access(given != nullptr ? given : otherwise, R_OK) == 0;
}

void trust_system(SSL_CTX& context) {
  if (!there(X509_get_default_cert_file_env(), X509_get_default_cert_file()) &&
      !there(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()))
    throw tls_config_error(
        std::string("the system has no trusted authorities: neither ") +
        X509_get_default_cert_file() + " nor " + X509_get_default_cert_dir() +
        " can be read; install them (Debian: ca-certificates), or say whom to `trust`");
  if (SSL_CTX_set_default_verify_paths(&context) != 1)
    throw tls_config_error("the system's trusted authorities cannot be read: " + openssl_reason());
}

std::vector<unsigned char> wire_form(const std::vector<std::string>& names) {
  std::vector<unsigned char> all;
  for (const std::string& each : names) {
    if (each.empty() || each.size() > 255)
      throw tls_config_error(
          "the name of an application protocol (ALPN) has 1 to 255 bytes, and '" + each + "' has " +
          std::to_string(each.size()));
    all.push_back(static_cast<unsigned char>(each.size()));
    all.insert(all.end(), each.begin(), each.end());
  }
  return all;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void* of) {
  const auto& state = *static_cast<const tls_state*>(of);
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, state.alpn.data(),
                            static_cast<unsigned>(state.alpn.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

char lower(char letter) noexcept {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool same_host(std::string_view one, std::string_view other) noexcept {
  if (one.size() != other.size()) return false;
  for (std::size_t index = 0; index < one.size(); ++index)
    if (lower(one[index]) != lower(other[index])) return false;
  return true;
}

bool matches(std::string_view pattern, std::string_view host) noexcept {
  if (!pattern.starts_with("*.")) return same_host(pattern, host);
  const std::size_t dot = host.find('.');
  return dot != std::string_view::npos && dot != 0 &&
         same_host(pattern.substr(1), host.substr(dot));
}

int choose_identity(SSL* session, int*, void* of) {
  const auto& state = *static_cast<const tls_state*>(of);
  const char* const host = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (host == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const tls_state::other& each : state.others) {
    if (!matches(each.host, host)) continue;
    SSL_set_SSL_CTX(session, each.context.get());
    break;
  }
  return SSL_TLSEXT_ERR_OK;
}

void ask_clients(SSL_CTX& context, const pem& authorities, bool required) {
  const std::string what = "the authorities of clients";
  trust(context, authorities, what);
  for (const certificate& each : internal::load_certificates(authorities, what))
    SSL_CTX_add_client_CA(&context, each.get());
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     &internal::note_refused);
}

}  // namespace

tls_context::tls_context(const tls_client& wanted) {
  auto made = std::make_shared<tls_state>();
  made->context = new_context(TLS_client_method(), wanted.minimum_);
  SSL_CTX& context = *made->context;
  made->verifies = wanted.verifies_;
  SSL_CTX_set_verify(&context, wanted.verifies_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     &internal::note_refused);
  for (const pem& each : wanted.authorities_) trust(context, each, "the trusted authorities");
  if (wanted.verifies_ && (wanted.system_ || wanted.authorities_.empty())) trust_system(context);
  if (wanted.identity_) internal::use_identity(context, *wanted.identity_, "the client");
  made->alpn = wire_form(wanted.alpn_);
  if (!made->alpn.empty() && SSL_CTX_set_alpn_protos(&context, made->alpn.data(),
                                                     static_cast<unsigned>(made->alpn.size())) != 0)
    throw tls_config_error("the application protocols (ALPN) cannot be set: " + openssl_reason());
  state_ = std::move(made);
}

tls_context::tls_context(const tls_server& offered) {
  auto made = std::make_shared<tls_state>();
  made->server = true;
  made->alpn = wire_form(offered.alpn_);
  const auto build = [&](const tls_identity& shown, const std::string& whose) {
    ssl_context context = new_context(TLS_server_method(), offered.minimum_);
    internal::use_identity(*context, shown, whose);
    // Tickets are for sessions of this kind of server; without a name of its own it could not verify clients that come back.
    static constexpr unsigned char name[] = "troupe";
    SSL_CTX_set_session_id_context(context.get(), name, sizeof name - 1);
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (offered.authorities_) ask_clients(*context, *offered.authorities_, offered.required_);
    if (!made->alpn.empty())
      SSL_CTX_set_alpn_select_cb(context.get(), &choose_protocol, made.get());
    return context;
  };
  made->context = build(offered.identity_, "the server");
  made->verifies = offered.authorities_.has_value();
  for (const auto& [host, shown] : offered.others_)
    made->others.push_back({host, build(shown, "the server for " + host)});
  if (!made->others.empty()) {
    SSL_CTX_set_tlsext_servername_callback(made->context.get(), &choose_identity);
    SSL_CTX_set_tlsext_servername_arg(made->context.get(), made.get());
  }
  state_ = std::move(made);
}

bool tls_context::is_server() const noexcept { return state_->server; }

}  // namespace troupe::io
