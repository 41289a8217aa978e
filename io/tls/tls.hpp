#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/io/tls/context.hpp>
#include <troupe/io/tls/errors.hpp>
#include <troupe/io/tls/info.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe::io {

/// What is said of one session.
struct tls_options {
  /// What the handshake has, what was to be sent before it included; `infinite` for no limit.
  duration handshake_timeout = std::chrono::seconds(60);
  /// An end of the transport between two records is taken for the end of data, also when the peer has not said so. Whoever can cut the
  /// connection can then cut off the end of what is read: only for protocols that know their lengths.
  bool tolerate_truncation = false;
};

namespace internal {
/// Errors: `tls_config_error`.
void expect_server(const tls_context& context);
}  // namespace internal

/// Begins TLS on a stream in use, as client or as server, as the context says. What has been read of the stream and not taken belongs to
/// TLS; what has been written is sent first. The stream that comes back is the only one from then on; its options are the same.
///
/// A client says whom it means: `host`, a name or an IP address, is sent to the server (SNI, names only) and checked against its
/// certificate. A server leaves it empty.
///
///     co_await io::start_tls(std::move(plain), context, "mail.example.org")
///
/// Over TLS a stream is what it is elsewhere. `close` and `write_eof` tell the peer, so an end that is not told is a failure,
/// `tls_error::truncated`. Nobody may send past TLS, so `native` is -1.
/// Errors: `tls_failure`; what the stream was lost by; `tls_config_error` for a host that is missing or no name; `invalid_state` for a
/// stream that a task reads, or that was closed or ended. The stream is closed then.
/// Cancel: closes it.
coro<stream> start_tls(stream plain, tls_context context, std::string host = {},
                       tls_options options = {});

/// The same for a server: `start_tls` with a server's context. Errors: `tls_config_error`, at once, for a client's.
coro<stream> accept_tls(stream plain, tls_context context, tls_options options = {});

/// Connects to `where` and begins TLS as a client that means `host`. Errors, Cancel: as of `open_connection` and `start_tls`.
coro<stream> connect_tls(endpoint where, std::string host, tls_context context,
                         tls_options options = {}, stream_options of_stream = {});

/// A handler of connections, for `start_server`, that begins TLS as `context` says and gives the stream to `handler`, a coroutine or a
/// plain function.
///
///     io::server serving = io::start_server(io::over_tls(context, echo), where);
///
/// A client with whom no session comes about is closed, and nothing is reported: anybody can send garbage. Who wants to know calls
/// `accept_tls` in a handler of his own. A server that shuts down drops whose handshake is not over.
/// Errors: `tls_config_error` for the context of a client.
template <std::invocable<stream> H>
auto over_tls(tls_context context, H handler, tls_options options = {}) {
  internal::expect_server(context);
  return [context = std::move(context), handler = std::move(handler),
          options](stream plain) mutable -> coro<> {
    std::optional<stream> secure;
    try {
      auto accepting = accept_tls(std::move(plain), context, options);
      secure.emplace(co_await std::move(accepting));
    } catch (const tls_failure&) {
      co_return;
    }
    if constexpr (std::is_void_v<std::invoke_result_t<H&, stream>>) {
      handler(std::move(*secure));
    } else {
      co_await handler(std::move(*secure));
    }
  };
}

}  // namespace troupe::io
