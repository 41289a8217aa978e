// What a context refuses to be made of.
#include <troupe/io/tls/context.hpp>

#include "io/tls/support.hpp"
#include "support/catch.hpp"

#include <string>

using namespace troupe;
using namespace troupe::testing::tls;

namespace {

template <class Wanted>
std::string refusal(const Wanted& wanted) {
  try {
    const io::tls_context made(wanted);
  } catch (const io::tls_config_error& error) {
    return error.what();
  }
  return "accepted";
}

bool says(const std::string& text, std::string_view what) {
  INFO(text);
  return text.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("a TLS context names the file of certificates that is not there") {
  const std::string text =
      refusal(io::tls_client().trust(io::pem::file("/nowhere/authorities.pem")));
  CHECK(says(text, "/nowhere/authorities.pem"));
  CHECK(says(text, "No such file"));
}

TEST_CASE("a TLS context names the file of a key that is not there") {
  const std::string text = refusal(io::tls_server(
      {io::pem::text(server_certificate().certificate), io::pem::file("/nowhere/key.pem")}));
  CHECK(says(text, "the key of the server: the file /nowhere/key.pem"));
}

TEST_CASE("a TLS context refuses a folder for a file") {
  CHECK(says(refusal(io::tls_client().trust(io::pem::file("/"))), "cannot be read"));
}

TEST_CASE("a TLS context refuses a key that belongs to another certificate, and names that") {
  const std::string text = refusal(io::tls_server(
      {io::pem::text(server_certificate().certificate), io::pem::text(client_certificate().key)}));
  CHECK(says(text, "does not belong to the certificate"));
  CHECK(says(text, "CN = localhost"));
}

TEST_CASE("a TLS context refuses authorities without a certificate") {
  CHECK(says(refusal(io::tls_client().trust(io::pem::text(""))), "holds no certificate"));
  CHECK(says(refusal(io::tls_client().trust(io::pem::text(server_certificate().key))),
             "holds no certificate"));
  CHECK(says(refusal(io::tls_server(server_certificate().identity())
                         .require_client_certificate(io::pem::text("hello"))),
             "the authorities of clients"));
}

TEST_CASE("a TLS context refuses a certificate that is damaged") {
  std::string damaged = server_certificate().certificate;
  damaged[damaged.size() / 2] = damaged[damaged.size() / 2] == 'A' ? 'B' : 'A';
  damaged.insert(damaged.size() / 3, "####");
  CHECK(says(refusal(io::tls_client().trust(io::pem::text(damaged))), "cannot be read"));
  CHECK(says(refusal(io::tls_client().trust(io::pem::text(authority().certificate + damaged))),
             "after 1 that can"));
}

TEST_CASE("a TLS context refuses a key that is encrypted, and asks nobody for its password") {
  const std::string text =
      refusal(io::tls_server({io::pem::text(server_certificate().certificate),
                              io::pem::text(testing::encrypted(server_certificate().key))}));
  CHECK(says(text, "is encrypted"));
}

TEST_CASE("a TLS context refuses a key that is none") {
  CHECK(says(refusal(io::tls_server({io::pem::text(server_certificate().certificate),
                                     io::pem::text(server_certificate().certificate)})),
             "holds no private key"));
}

TEST_CASE("a TLS context refuses application protocols without a name") {
  CHECK(says(refusal(io::tls_client().trust(authority().trusted()).alpn({"h2", ""})),
             "application protocol"));
  const std::string long_name(256, 'x');
  CHECK(says(refusal(io::tls_server(server_certificate().identity()).alpn({long_name.c_str()})),
             "256"));
}

TEST_CASE("a TLS context may be made of files") {
  // The texts are what the files hold; that files are read at all is seen by their absence above.
  CHECK_NOTHROW(io::tls_context(io::tls_client().trust(authority().trusted())));
  CHECK_FALSE(client_context().is_server());
  CHECK(server_context().is_server());
}

TEST_CASE("an identity that has issued itself is for names and addresses, and for nothing else") {
  CHECK_NOTHROW(io::tls_context(io::tls_server(io::self_signed_identity("127.0.0.1"))));
  CHECK_THROWS_AS(io::self_signed_identity("a,DNS:b"), std::runtime_error);
  CHECK_THROWS_AS(io::self_signed_identity(""), std::runtime_error);
}
