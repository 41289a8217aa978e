// What a user's first program needs of an installed troupe with TLS: a context, and a session over memory.
#include <troupe/io/memory.hpp>
#include <troupe/io/tls/tls.hpp>
#include <troupe/troupe.hpp>

#include <utility>

namespace io = troupe::io;

troupe::coro<int> amain() {
  const io::tls_identity shown = io::self_signed_identity("localhost");
  io::tls_context serving{io::tls_server(shown)};
  io::tls_context trusting(io::tls_client().trust(shown.chain()));
  auto two = io::memory_pair();
  auto accepting = troupe::create_task(io::accept_tls(std::move(two.second), serving));
  auto starting = io::start_tls(std::move(two.first), trusting, "localhost");
  io::stream client = co_await starting;
  io::stream server = co_await accepting;
  client.write("hello\n");
  const auto line = co_await server.next_line();
  co_return line == "hello" ? 0 : 1;
}

int main() { return troupe::run(amain()); }
