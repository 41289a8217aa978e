// Sessions: what they agree upon, how they end, key updates, TLS begun on a stream in use.
#include <troupe/io/tls/internal/tls_transport.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "io/odd_transports.hpp"
#include "io/tls/support.hpp"
#include "support/catch.hpp"

#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::tls;
using namespace troupe::testing::streams;
using namespace std::chrono_literals;

namespace {

SSL* session_of(const io::stream& of) {
  return dynamic_cast<const io::internal::tls_transport&>(of.wire()).session();
}

io::tls_context client_of_12() {
  io::tls_context made(io::tls_client().trust(authority().trusted()));
  SSL_CTX_set_max_proto_version(made.state()->context.get(), TLS1_2_VERSION);
  return made;
}

coro<ends> over_12(io::stream_options options) {
  auto two = io::memory_pair(1 << 16, options);
  auto securing = secured(std::move(two.first), std::move(two.second), client_of_12());
  co_return co_await std::move(securing);
}

coro<std::string> text_of(io::stream& from) {
  const io::bytes all = co_await from.read_all();
  co_return std::string(all.text());
}

}  // namespace

TEST_CASE("the contract of streams holds over TLS 1.2") { testing::run(contract(over_12)); }

TEST_CASE("a TLS session tells what was agreed upon, on both sides") {
  struct scene {
    static coro<> run() {
      const io::tls_context client(io::tls_client()
                                       .trust(authority().trusted())
                                       .identity(client_certificate().identity())
                                       .alpn({"h2", "http/1.1"}));
      const io::tls_context server(io::tls_server(server_certificate().identity())
                                       .accept_client_certificate(authority().trusted())
                                       .alpn({"http/1.1", "h2"}));
      auto two = co_await session(client, server);
      const io::tls_info ours = io::tls_info_of(two.first).value();
      const io::tls_info theirs = io::tls_info_of(two.second).value();
      CHECK(ours.version == "TLSv1.3");
      CHECK(ours.cipher == theirs.cipher);
      CHECK(ours.cipher.starts_with("TLS_"));
      CHECK(ours.alpn == "http/1.1");  // as the server prefers it
      CHECK(theirs.alpn == "http/1.1");
      CHECK(ours.server_name == "localhost");
      CHECK(theirs.server_name == "localhost");
      CHECK(ours.peer_subject == "CN = localhost");
      CHECK(ours.peer_verified);
      CHECK(ours.peer_fingerprint.size() == 64);
      CHECK(theirs.peer_subject == "CN = a client");
      CHECK(theirs.peer_verified);
      CHECK(two.first.native() == -1);
      CHECK(two.first.peer_name() == "memory");
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a TLS server that only accepts certificates serves clients without one") {
  struct scene {
    static coro<> run() {
      const io::tls_context server(io::tls_server(server_certificate().identity())
                                       .accept_client_certificate(authority().trusted()));
      auto two = co_await session(client_context(), server);
      const io::tls_info info = io::tls_info_of(two.second).value();
      CHECK(info.peer_subject.empty());
      CHECK_FALSE(info.peer_verified);
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a stream without TLS has no TLS info") {
  struct scene {
    static coro<> run() {
      auto two = io::memory_pair();
      CHECK_FALSE(io::tls_info_of(two.first).has_value());
      co_return;
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a TLS server shows the certificate for the host that is asked for") {
  struct scene {
    static coro<std::string> subject(io::tls_context server, std::string host) {
      auto two = io::memory_pair();
      const io::tls_context blind(io::tls_client::insecure_without_verification().alpn({"x"}));
      auto securing = secured(std::move(two.first), std::move(two.second), blind, std::move(server),
                              std::move(host));
      const ends both = co_await std::move(securing);
      const io::tls_info info = io::tls_info_of(both.first).value();
      CHECK(info.alpn == "x");  // also with another's certificate
      co_return info.peer_subject;
    }
    static coro<> run() {
      const io::tls_context server(
          io::tls_server(server_certificate().identity())
              .identity_for("one.test", issue({.name = "one"}).identity())
              .identity_for("*.two.test", issue({.name = "two"}).identity())
              .alpn({"x"}));
      std::string found = co_await subject(server, "one.test");
      CHECK(found == "CN = one");
      found = co_await subject(server, "ONE.test");
      CHECK(found == "CN = one");
      found = co_await subject(server, "a.two.test");
      CHECK(found == "CN = two");
      found = co_await subject(server, "a.b.two.test");
      CHECK(found == "CN = localhost");
      found = co_await subject(server, "");
      CHECK(found == "CN = localhost");
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a TLS 1.3 client whose certificate is refused hears of it when it reads") {
  struct scene {
    static coro<> run() {
      const io::tls_context strict(io::tls_server(server_certificate().identity())
                                       .require_client_certificate(authority().trusted()));
      auto two = io::memory_pair();
      auto accepting = create_task(ending_of(io::accept_tls(std::move(two.second), strict)));
      auto starting = io::start_tls(std::move(two.first), client_context(), "localhost");
      io::stream client = co_await std::move(starting);
      const ending end = co_await ending_of(text_of(client));
      CHECK(end.code == io::tls_error::certificate_refused);
      const ending refused = co_await accepting;
      CHECK(refused.code == io::tls_error::certificate_missing);
    }
  };
  testing::run(scene::run());
}

TEST_CASE("an end that TLS has not told is a truncation, which may be tolerated between records") {
  struct scene {
    static coro<> cut(bool tolerate, bool within_a_record) {
      auto below = io::memory_transports();
      io::transport* const raw = below.second.get();
      io::stream one(std::move(below.first));
      io::stream other(std::move(below.second));
      auto accepting = create_task(io::accept_tls(std::move(other), server_context()));
      auto starting = io::start_tls(std::move(one), client_context(), "localhost",
                                    {.tolerate_truncation = tolerate});
      io::stream client = co_await std::move(starting);
      io::stream server = co_await accepting;
      server.write("half a message");
      if (within_a_record) {
        const std::string_view part("\x17\x03\x03\x00", 4);
        const std::span<const std::byte> bytes = std::as_bytes(std::span(part));
        raw->write({&bytes, 1});
      }
      raw->end_writing();  // below TLS, which says nothing
      const io::bytes got = co_await client.read_exactly(14);
      CHECK(got.text() == "half a message");
      const ending end = co_await ending_of(text_of(client));
      CHECK(end.code == (tolerate && !within_a_record ? std::error_code()
                                                      : make_error_code(io::tls_error::truncated)));
      if (tolerate && !within_a_record) {
        CHECK(client.at_eof());
        // The other direction goes on.
        client.write("answer");
        const io::bytes answer = co_await server.read_exactly(6);
        CHECK(answer.text() == "answer");
      }
    }
  };
  testing::run(scene::cut(false, false));
  testing::run(scene::cut(true, false));
  testing::run(scene::cut(false, true));
  testing::run(scene::cut(true, true));
}

TEST_CASE(
    "a record that is damaged on the way is an error of its own, and its sender hears of it") {
  struct scene {
    static coro<> run(io::tls_context with, std::string forged) {
      auto below = io::memory_transports();
      io::transport* const raw = below.second.get();
      io::stream one(std::move(below.first));
      io::stream other(std::move(below.second));
      auto securing = secured(std::move(one), std::move(other), std::move(with));
      ends two = co_await std::move(securing);
      const std::span<const std::byte> bytes = std::as_bytes(std::span(forged));
      raw->write({&bytes, 1});
      const ending end = co_await ending_of(text_of(two.first));
      CHECK(end.code == io::tls_error::bad_record);
      if (!forged.starts_with('\x17')) co_return;  // who is sent no record is sent no alert
      two.first.write("nobody hears");
      const ending heard = co_await ending_of(text_of(two.second));
      CHECK(heard.code == io::tls_error::bad_record);
    }
  };
  std::string forged("\x17\x03\x03\x00\x20", 5);
  forged.append(32, 'x');
  for (const std::string& sent : {forged, std::string("GET / HTTP/1.1\r\n\r\n")}) {
    testing::run(scene::run(client_context(), sent));
    testing::run(scene::run(client_of_12(), sent));
  }
}

TEST_CASE("TLS begins on a stream in use, and nothing that was read ahead is lost") {
  struct scene {
    static coro<> serve(io::stream plain) {
      const std::string command = co_await plain.read_line();
      CHECK(command == "STARTTLS\r\n");
      plain.write("220 go ahead\r\n");
      auto accepting = io::accept_tls(std::move(plain), server_context());
      io::stream secure = co_await std::move(accepting);
      const std::string line = co_await secure.read_line();
      secure.write(line);
      secure.close();
      co_await secure.wait_closed();
    }
    static coro<> run(std::size_t capacity) {
      auto two = io::memory_pair(capacity);
      auto serving = create_task(serve(std::move(two.second)));
      // The client does not wait for the answer: what it says comes with the beginning of TLS, so that the server reads it ahead.
      two.first.write("STARTTLS\r\n");
      auto starting =
          io::start_tls(std::move(two.first), io::tls_context(client_context()), "localhost");
      // The answer belongs to the plain part, which this client does not read: a violation for TLS.
      const ending end = co_await ending_of(std::move(starting));
      CHECK(end.code == io::tls_error::not_tls);
      serving.cancel();
      try {
        co_await serving;
      } catch (const cancelled&) {
      } catch (const std::system_error&) {
      }
    }
    static coro<> polite(std::size_t capacity) {
      auto two = io::memory_pair(capacity);
      auto serving = create_task(serve(std::move(two.second)));
      two.first.write("STARTTLS\r\n");
      const std::string answer = co_await two.first.read_line();
      CHECK(answer == "220 go ahead\r\n");
      auto starting = io::start_tls(std::move(two.first), client_context(), "localhost");
      io::stream secure = co_await std::move(starting);
      secure.write("over TLS\n");
      const std::string line = co_await secure.read_line();
      CHECK(line == "over TLS\n");
      const std::string rest = co_await text_of(secure);
      CHECK(rest.empty());
      co_await serving;
    }
    /// Whose first flight comes in one piece with what is read before it.
    static coro<> read_ahead() {
      auto front = io::memory_pair();
      auto back = io::memory_pair();
      auto starting =
          create_task(io::start_tls(std::move(back.first), client_context(), "localhost"));
      const io::bytes hello = co_await back.second.read_some();
      // A line and the hello, and then whatever comes.
      front.first.write("STARTTLS\n", hello.text());
      auto line = co_await front.second.read_line();
      CHECK(line == "STARTTLS\n");
      auto accepting = create_task(io::accept_tls(std::move(front.second), server_context()));
      auto pump = [](io::stream& from, io::stream& to) -> coro<> {
        for (;;) {
          io::bytes some = co_await from.read_some();
          if (some.empty()) break;
          to.write(std::move(some));
        }
      };
      auto there = create_task(pump(back.second, front.first));
      auto here = create_task(pump(front.first, back.second));
      io::stream client = co_await starting;
      io::stream server = co_await accepting;
      client.write("hello");
      const io::bytes got = co_await server.read_exactly(5);
      CHECK(got.text() == "hello");
      there.cancel();
      here.cancel();
      CHECK_THROWS_AS(co_await there, cancelled);
      CHECK_THROWS_AS(co_await here, cancelled);
    }
  };
  testing::run(scene::run(1 << 16));
  testing::run(scene::polite(1 << 16));
  testing::run(scene::polite(1));
  testing::run(scene::read_ahead());
}

TEST_CASE("TLS may go through TLS") {
  struct scene {
    static coro<> run() {
      auto outer = co_await session();
      auto securing = secured(std::move(outer.first), std::move(outer.second));
      ends two = co_await std::move(securing);
      const std::string much = streams::pattern(300'000, 1);
      auto sending = create_task(send_all(two.first, much, 20'000));
      const std::string got = co_await exactly(two.second, much.size());
      CHECK((got == much));
      co_await sending;
    }
  };
  testing::run(scene::run());
}

TEST_CASE("keys are changed under way, in both directions, while nobody makes room") {
  struct scene {
    static coro<> send(io::stream& to, std::string what, int& updates) {
      const std::string_view text(what);
      for (std::size_t at = 0, part = 0; at < text.size(); at += 3000, ++part) {
        // Every second asks the peer to change its key as well.
        // OpenSSL refuses in the midst of an update of the peer's.
        updates += SSL_key_update(session_of(to), part % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED
                                                                : SSL_KEY_UPDATE_NOT_REQUESTED);
        to.write(text.substr(at, 3000));
        co_await to.drain();
      }
    }
    static coro<> run(std::size_t capacity) {
      auto two = co_await session(client_context(), server_context(), capacity);
      const std::string there = streams::pattern(100'000, 1);
      const std::string back = streams::pattern(100'000, 2);
      int updates = 0;
      auto first = create_task(send(two.first, there, updates));
      auto second = create_task(send(two.second, back, updates));
      auto reading = create_task(exactly(two.first, back.size()));
      const std::string got = co_await exactly(two.second, there.size());
      CHECK((got == there));
      const std::string other = co_await reading;
      CHECK((other == back));
      co_await first;
      co_await second;
      CHECK(updates > 2);
      two.first.write_eof();
      two.second.write_eof();
      const std::string rest = co_await text_of(two.first);
      CHECK(rest.empty());
      const std::string other_rest = co_await text_of(two.second);
      CHECK(other_rest.empty());
    }
  };
  testing::run(scene::run(1));
  testing::run(scene::run(100));
  testing::run(scene::run(1 << 16));
}

TEST_CASE("a peer that only asks for new keys, and reads no answer, costs no memory") {
  struct scene {
    static coro<> run() {
      auto two = co_await session(client_context(), server_context(), 4096);
      auto reading = create_task(text_of(two.second));
      int asked = 0;
      while (asked < 10'000 && two.first.unsent() < 1000) {
        if (SSL_key_update(session_of(two.first), SSL_KEY_UPDATE_REQUESTED) == 1) ++asked;
        two.first.write("x");
        co_await sleep(1ms);
      }
      CHECK(asked > 1'000);
      CHECK(asked < 10'000);
      CHECK(two.first.unsent() != 0);  // the server has stopped reading
      two.first.abort();
      CHECK_THROWS_AS(co_await reading, std::system_error);
    }
  };
  testing::run(scene::run());
}

TEST_CASE("records without data do not keep others from their turns") {
  struct scene {
    static coro<> run() {
      auto two = co_await session(client_context(), server_context(), 1 << 20);
      int turns = 0;
      bool stop = false;
      auto others = create_task([](int& counted, bool& over) -> coro<> {
        while (!over) {
          ++counted;
          co_await sleep(0s);
        }
      }(turns, stop));
      auto reading = create_task(exactly(two.second, 1));
      for (int turn = 0; turn < 10; ++turn) co_await sleep(0s);
      const int before = turns;
      SSL* const session = session_of(two.first);
      for (int count = 0; count < 20'000; ++count) {
        REQUIRE(SSL_key_update(session, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
        REQUIRE(SSL_do_handshake(session) == 1);
      }
      two.first.write("x");
      co_await reading;
      CHECK(turns - before >= 10);
      stop = true;
      co_await others;
    }
  };
  testing::run(scene::run());
}

TEST_CASE("renegotiation is refused") {
  struct scene {
    static coro<> run() {
      auto two = co_await session(client_of_12(), server_context());
      SSL* const client = session_of(two.first);
      CHECK(SSL_renegotiate(client) == 0);
      two.first.write("goes on");
      const io::bytes got = co_await two.second.read_exactly(7);
      CHECK(got.text() == "goes on");
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a session goes on by a ticket, also one with a client's certificate") {
  struct scene {
    /// A client that shows `ticket`, if there is one, and keeps what it gets.
    static coro<bool> resumed(io::tls_context client, io::tls_context server,
                              SSL_SESSION*& ticket) {
      auto two = io::memory_pair();
      auto accepting = create_task(io::accept_tls(std::move(two.second), std::move(server)));
      io::stream::pieces pieces = two.first.take_apart();
      auto wire = std::make_unique<io::internal::tls_transport>(
          std::move(pieces.wire), io::bytes(), client.state(), "localhost", io::tls_options{});
      if (ticket != nullptr) SSL_set_session(wire->session(), ticket);
      wire->begin();
      co_await io::internal::handshake_wait(*wire);
      io::stream one(std::move(wire));
      io::stream other = co_await accepting;
      other.write("x");
      co_await one.read_exactly(1);  // and with it the tickets
      SSL_SESSION_free(ticket);
      ticket = SSL_get1_session(session_of(one));
      CHECK(SSL_SESSION_is_resumable(ticket) == 1);
      CHECK(io::tls_info_of(other).value().peer_subject == "CN = a client");
      one.write("and back");
      const io::bytes back = co_await other.read_exactly(8);
      CHECK(back.text() == "and back");
      co_return SSL_session_reused(session_of(one)) == 1;
    }
  };
  const io::tls_context client(
      io::tls_client().trust(authority().trusted()).identity(client_certificate().identity()));
  const io::tls_context server(io::tls_server(server_certificate().identity())
                                   .require_client_certificate(authority().trusted()));
  SSL_SESSION* ticket = nullptr;
  CHECK_FALSE(testing::run(scene::resumed(client, server, ticket)));
  CHECK(testing::run(scene::resumed(client, server, ticket)));
  SSL_SESSION_free(ticket);
}

TEST_CASE("a client that has only sent waits for the server's tickets before it closes") {
  struct scene {
    static coro<> run(bool answers) {
      auto below = io::memory_transports();
      auto slow = std::make_unique<late>(std::move(below.first));
      io::stream one(std::move(slow));
      io::stream other(std::move(below.second));
      auto securing = secured(std::move(one), std::move(other));
      ends two = co_await std::move(securing);
      two.first.write("and nothing else");
      if (answers) two.second.write("heard");
      const time_point begin = loop::current()->time();
      two.first.close();
      co_await two.first.wait_closed();
      CHECK(loop::current()->time() - begin <= 1100ms);
      const std::string got = co_await text_of(two.second);
      CHECK(got == "and nothing else");
    }
  };
  testing::run(scene::run(true));
  testing::run(scene::run(false));
}
