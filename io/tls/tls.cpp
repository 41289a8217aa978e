#include <troupe/io/open_connection.hpp>
#include <troupe/io/tls/internal/tls_transport.hpp>
#include <troupe/io/tls/tls.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/timeout.hpp>

#include <utility>

namespace troupe::io {

namespace {

/// Sends what is unsent, takes the stream apart and does the handshake. What it makes is the caller's, who still has it when this does
/// not come to its end.
coro<> shake_hands(stream& plain, stream::pieces& pieces,
                   std::unique_ptr<internal::tls_transport>& wire, tls_context context,
                   std::string host, tls_options options) {
  plain.set_write_limits(0, 0);
  co_await plain.drain();
  pieces = plain.take_apart();
  pieces.notice.shake_hands();
  wire = std::make_unique<internal::tls_transport>(std::move(pieces.wire), std::move(pieces.read),
                                                   context.state(), std::move(host), options);
  wire->begin();
  co_await internal::handshake_wait(*wire);
}

}  // namespace

coro<stream> start_tls(stream plain, tls_context context, std::string host, tls_options options) {
  if (plain.is_closing()) throw invalid_state("TLS cannot begin on a stream that has been closed");
  const std::string peer = plain.peer_name();
  const std::string whom = host.empty() ? peer : host + ", " + peer;
  std::unique_ptr<internal::tls_transport> wire;
  const stream_options of_stream = plain.options();
  stream::pieces pieces;
  try {
    auto shaking = shake_hands(plain, pieces, wire, std::move(context), std::move(host), options);
    co_await timeout(options.handshake_timeout, std::move(shaking));
  } catch (const timeout_error&) {
    throw tls_failure(tls_error::handshake_timed_out, "TLS with " + whom);
  } catch (const tls_failure&) {
    wire->close(false);  // the peer is to hear why
    throw;
  }
  pieces.wire = std::move(wire);
  pieces.read = bytes();
  pieces.options = of_stream;  // without the limits for the handshake
  co_return stream(std::move(pieces));
}

void internal::expect_server(const tls_context& context) {
  if (!context.is_server())
    throw tls_config_error(
        "TLS is to be served, which takes the context of a server, and this is a client's");
}

coro<stream> accept_tls(stream plain, tls_context context, tls_options options) {
  internal::expect_server(context);
  return start_tls(std::move(plain), std::move(context), std::string(), options);
}

coro<stream> connect_tls(endpoint where, std::string host, tls_context context, tls_options options,
                         stream_options of_stream) {
  stream plain = co_await open_connection(where, of_stream);
  auto starting = start_tls(std::move(plain), std::move(context), std::move(host), options);
  co_return co_await starting;
}

std::optional<tls_info> tls_info_of(const stream& of) {
  const auto* const wire = dynamic_cast<const internal::tls_transport*>(&of.wire());
  if (wire == nullptr) return std::nullopt;
  return wire->info();
}

}  // namespace troupe::io
