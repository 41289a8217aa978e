// Handshakes that fail: each cause has an error of its own, on both sides.
#include <troupe/io/tls/internal/openssl.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/tls/support.hpp"
#include "support/catch.hpp"

#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::tls;
using namespace std::chrono_literals;

namespace {

/// How a handshake ended on both sides.
struct endings {
  ending client;
  ending server;
};

coro<endings> shake(io::tls_context client, io::tls_context server,
                    std::string host = "localhost") {
  auto two = io::memory_pair();
  auto accepting = create_task(ending_of(io::accept_tls(std::move(two.second), std::move(server))));
  auto starting = io::start_tls(std::move(two.first), std::move(client), std::move(host));
  auto waiting = ending_of(std::move(starting));
  endings found;
  found.client = co_await std::move(waiting);
  found.server = co_await accepting;
  co_return found;
}

io::tls_context serving(const issued_certificate& shown) {
  return io::tls_context(io::tls_server(shown.identity()));
}

endings shake_with(const issued_certificate& shown, std::string host = "localhost") {
  return testing::run(shake(client_context(), serving(shown), std::move(host)));
}

bool says(const std::string& text, std::string_view what) {
  INFO(text);
  return text.find(what) != std::string::npos;
}

/// What a server, or a client, says to a peer that sends `sent` and, if it is to, ends.
coro<ending> answer_to(std::string sent, bool server, bool ends, std::string* answer = nullptr) {
  auto two = io::memory_pair();
  auto shaking = create_task(
      ending_of(server ? io::accept_tls(std::move(two.first), server_context())
                       : io::start_tls(std::move(two.first), client_context(), "localhost")));
  two.second.write(sent);
  if (ends) two.second.write_eof();
  ending found = co_await shaking;
  if (answer != nullptr) {
    try {
      const io::bytes all = co_await two.second.read_all();
      answer->assign(all.text());
    } catch (const std::system_error&) {
    }
  }
  co_return found;
}

}  // namespace

TEST_CASE("a TLS client refuses a certificate that has expired, and says when") {
  const endings found =
      shake_with(issue({.name = "old", .begins = -7200, .ends = -3600}, authority()));
  CHECK(found.client.code == io::tls_error::certificate_expired);
  CHECK(says(found.client.text, "CN = old"));
  CHECK(says(found.client.text, "ended at 20"));
  CHECK(found.server.code == io::tls_error::certificate_refused);
}

TEST_CASE("a TLS client refuses a certificate that is not valid yet") {
  const endings found = shake_with(issue({.name = "young", .begins = 3600}, authority()));
  CHECK(found.client.code == io::tls_error::certificate_not_yet_valid);
}

TEST_CASE("a TLS client refuses a certificate for another host, and names both") {
  const endings found =
      shake_with(issue({.hosts = "DNS:one.test,DNS:*.two.test"}, authority()), "three.test");
  CHECK(found.client.code == io::tls_error::wrong_host);
  CHECK(says(found.client.text, "it is for one.test, *.two.test, and 'three.test' was meant"));
  CHECK(found.server.code == io::tls_error::certificate_refused);
}

TEST_CASE("a TLS client checks addresses against addresses") {
  const endings right = shake_with(issue({.hosts = "IP:127.0.0.1"}, authority()), "127.0.0.1");
  CHECK_FALSE(right.client.code);
  const endings wrong = shake_with(issue({.hosts = "IP:127.0.0.1"}, authority()), "127.0.0.2");
  CHECK(wrong.client.code == io::tls_error::wrong_host);
  CHECK(says(wrong.client.text, "127.0.0.1, and '127.0.0.2' was meant"));
  const endings name = shake_with(issue({.hosts = "DNS:127.0.0.1"}, authority()), "127.0.0.1");
  CHECK(name.client.code == io::tls_error::wrong_host);
}

TEST_CASE("a star in a certificate stands for one label") {
  const issued_certificate shown = issue({.hosts = "DNS:*.two.test"}, authority());
  CHECK_FALSE(shake_with(shown, "a.two.test").client.code);
  CHECK_FALSE(shake_with(shown, "A.Two.Test.").client.code);
  CHECK(shake_with(shown, "a.b.two.test").client.code == io::tls_error::wrong_host);
  CHECK(shake_with(shown, "two.test").client.code == io::tls_error::wrong_host);
}

TEST_CASE("a TLS client refuses an issuer that it does not know, and names it") {
  const issued_certificate other = issue({.name = "Somebody Else", .hosts = "", .authority = true});
  const endings found = shake_with(issue({.name = "theirs"}, other));
  CHECK(found.client.code == io::tls_error::unknown_issuer);
  CHECK(says(found.client.text, "'CN = Somebody Else' has issued that of 'CN = theirs'"));
  CHECK(found.server.code == io::tls_error::certificate_refused);
}

TEST_CASE("a TLS client refuses a certificate that has issued itself, unless it trusts it") {
  const issued_certificate shown = issue({.name = "me"});
  CHECK(shake_with(shown).client.code == io::tls_error::self_signed);
  const io::tls_context trusting(io::tls_client().trust(shown.trusted()));
  CHECK_FALSE(testing::run(shake(trusting, serving(shown))).client.code);
}

TEST_CASE("a TLS client may be told to verify nothing, by name") {
  const io::tls_context blind(io::tls_client::insecure_without_verification());
  const endings found =
      testing::run(shake(blind, serving(issue({.begins = -7200, .ends = -3600})), "elsewhere"));
  CHECK_FALSE(found.client.code);
  CHECK_FALSE(found.server.code);
  CHECK_FALSE(testing::run(shake(blind, server_context(), "")).client.code);
}

TEST_CASE("a TLS client that verifies has to say which host it means") {
  CHECK_THROWS_AS(testing::run(shake(client_context(), server_context(), "")),
                  io::tls_config_error);
  for (const char* const bad : {"a host", "a/b", "a\nb", "b@c", ""})
    CHECK_THROWS_AS(testing::run(shake(client_context(), server_context(), bad)),
                    io::tls_config_error);
}

TEST_CASE("a TLS server that requires a certificate says that none was shown") {
  const io::tls_context strict(io::tls_server(server_certificate().identity())
                                   .require_client_certificate(authority().trusted()));
  const endings found = testing::run(shake(client_context(), strict));
  CHECK(found.server.code == io::tls_error::certificate_missing);
  const io::tls_context stranger(io::tls_client()
                                     .trust(authority().trusted())
                                     .identity(issue({.name = "stranger"}).identity()));
  CHECK(testing::run(shake(stranger, strict)).server.code == io::tls_error::self_signed);
}

TEST_CASE("TLS peers without a common application protocol say so on both sides") {
  const io::tls_context client(io::tls_client().trust(authority().trusted()).alpn({"h2"}));
  const io::tls_context server(io::tls_server(server_certificate().identity()).alpn({"smtp"}));
  const endings found = testing::run(shake(client, server));
  CHECK(found.client.code == io::tls_error::no_common_application_protocol);
  CHECK(found.server.code == io::tls_error::no_common_application_protocol);
}

TEST_CASE("TLS peers without a common version say so on both sides") {
  const io::tls_context old(io::tls_client().trust(authority().trusted()));
  SSL_CTX_set_max_proto_version(old.state()->context.get(), TLS1_2_VERSION);
  const io::tls_context modern(
      io::tls_server(server_certificate().identity()).minimum(io::tls_version::v1_3));
  const endings found = testing::run(shake(old, modern));
  CHECK(found.client.code == io::tls_error::no_common_version);
  CHECK(found.server.code == io::tls_error::no_common_version);
}

TEST_CASE("TLS peers without a common cipher say so on both sides") {
  const io::tls_context client(io::tls_client().trust(authority().trusted()));
  const io::tls_context server = serving(server_certificate());
  REQUIRE(SSL_CTX_set_ciphersuites(client.state()->context.get(), "TLS_AES_128_GCM_SHA256") == 1);
  REQUIRE(SSL_CTX_set_ciphersuites(server.state()->context.get(), "TLS_AES_256_GCM_SHA384") == 1);
  const endings found = testing::run(shake(client, server));
  CHECK(found.client.code == io::tls_error::no_common_cipher);
  CHECK(found.server.code == io::tls_error::no_common_cipher);
}

TEST_CASE("a TLS server says that a client speaks plainly, and closes") {
  std::string answer = "none";
  const ending http =
      testing::run(answer_to("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", true, false, &answer));
  CHECK(http.code == io::tls_error::not_tls);
  CHECK(says(http.text, "plain client"));
  CHECK(answer.empty());  // it would not understand an alert
  CHECK(testing::run(answer_to("hello\n", true, false)).code == io::tls_error::not_tls);
}

TEST_CASE("to serve TLS takes a server's context, which is said before anybody comes") {
  testing::run([]() -> coro<> {
    CHECK_THROWS_AS(io::over_tls(client_context(), [](io::stream) {}), io::tls_config_error);
    auto two = io::memory_pair();
    CHECK_THROWS_AS(io::accept_tls(std::move(two.first), client_context()), io::tls_config_error);
    co_return;
  }());
}

TEST_CASE("a TLS client says that a server speaks plainly") {
  const ending found = testing::run(answer_to("220 mail.test ESMTP ready\r\n", false, false));
  CHECK(found.code == io::tls_error::not_tls);
  CHECK(says(found.text, "plain server"));
}

TEST_CASE("a peer that closes in the handshake is an error of its own") {
  for (const bool server : {true, false}) {
    CHECK(testing::run(answer_to("", server, true)).code == io::tls_error::closed_in_handshake);
    // The beginning of a record.
    CHECK(testing::run(answer_to("\x16\x03\x01\x02", server, true)).code ==
          io::tls_error::closed_in_handshake);
  }
}

TEST_CASE("a peer that resets in the handshake is told as the reset it is") {
  struct scene {
    static coro<ending> run() {
      auto two = io::memory_pair();
      auto shaking = create_task(ending_of(io::accept_tls(std::move(two.first), server_context())));
      co_await sleep(1ms);
      two.second.abort();
      co_return co_await shaking;
    }
  };
  CHECK(testing::run(scene::run()).code == std::errc::connection_reset);
}

TEST_CASE("a TLS handshake that never comes has a limit") {
  struct scene {
    static coro<> run(bool server) {
      auto two = io::memory_pair();
      const time_point begin = loop::current()->time();
      auto shaking = ending_of(
          server ? io::accept_tls(std::move(two.first), server_context(), {.handshake_timeout = 3s})
                 : io::start_tls(std::move(two.first), client_context(), "localhost",
                                 {.handshake_timeout = 3s}));
      const ending found = co_await std::move(shaking);
      CHECK(found.code == io::tls_error::handshake_timed_out);
      CHECK(loop::current()->time() - begin == 3s);
      // The peer hears of it.
      bool over = false;
      try {
        while (!over) {
          const io::bytes some = co_await two.second.read_some();
          over = some.empty();
        }
      } catch (const std::system_error&) {
        over = true;
      }
      CHECK(over);
    }
  };
  testing::run(scene::run(true));
  testing::run(scene::run(false));
}

TEST_CASE("a handshake in front of which too much is unsent has a limit as well") {
  struct scene {
    static coro<> run() {
      auto two = io::memory_pair(100);
      two.first.write(std::string(1000, 'x'));
      auto shaking = ending_of(io::start_tls(std::move(two.first), client_context(), "localhost",
                                             {.handshake_timeout = 3s}));
      const ending found = co_await std::move(shaking);
      CHECK(found.code == io::tls_error::handshake_timed_out);
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a time limit around a handshake is the caller's own") {
  struct scene {
    static coro<> run() {
      auto two = io::memory_pair();
      bool late = false;
      try {
        auto shaking = io::start_tls(std::move(two.first), client_context(), "localhost");
        co_await timeout(1s, std::move(shaking));
      } catch (const timeout_error&) {
        late = true;
      }
      CHECK(late);
    }
  };
  testing::run(scene::run());
}

TEST_CASE("TLS does not begin on a stream that has been closed, ended or is being read") {
  struct scene {
    static coro<io::bytes> read(io::stream& from) { co_return co_await from.read_some(); }
    static coro<> begin(io::stream with) {
      bool refused = false;
      try {
        co_await io::start_tls(std::move(with), client_context(), "localhost");
      } catch (const invalid_state&) {
        refused = true;
      }
      CHECK(refused);
    }
    static coro<> run() {
      auto two = io::memory_pair();
      two.first.close();
      co_await begin(std::move(two.first));
      auto ended = io::memory_pair();
      ended.first.write_eof();
      co_await begin(std::move(ended.first));
      auto read_from = io::memory_pair();
      auto reading = create_task(read(read_from.first));
      co_await sleep(1ms);
      co_await begin(std::move(read_from.first));
      CHECK_THROWS_AS(co_await reading, invalid_state);
    }
  };
  testing::run(scene::run());
}
