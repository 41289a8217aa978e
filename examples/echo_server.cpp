// A TCP server: one actor listens, and one actor serves each connection. A connection that crashes takes nobody with it.
// Run: echo_server [--port N]     (N = 0 lets the system choose; Ctrl-C or SIGTERM ends it)
// Try: nc 127.0.0.1 8888          Lines come back; "crash" crashes the actor of that connection, and only that one.
// Prints: the port, each crash on standard error, and how many connections it served.
#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace io = troupe::io;

// [session]
/// Serves one connection: whatever comes goes back, and more is read only when that has left.
class session : public troupe::actor<io::connection_events> {
 public:
  explicit session(io::socket connected)
      : connection_(spawn<io::tcp_connection>(std::move(connected), self())) {}

  void on_start() { connection_.tell(io::demand{64 << 10}); }

  void on(io::data d) {
    if (d.chunk.text().starts_with("crash")) throw std::runtime_error("a client said crash");
    connection_.tell(io::write(std::move(d.chunk)));
  }
  void on(io::drained d) { connection_.tell(io::demand{d.bytes}); }
  void on(io::end_of_data) { connection_.tell(io::close{}); }
  void on(io::closed) { stop(); }

 private:
  troupe::actor_ref<io::connection> connection_;
};
// [/session]

/// Accepts connections and starts a session for each.
class server : public troupe::actor<io::listener_events> {
 public:
  explicit server(io::listening_socket listening) {
    spawn<io::tcp_listener>(std::move(listening), self());
  }

  void on(io::accepted a) {
    ++served_;
    spawn<session>(std::move(a.connected));
  }
  void on_stop() { std::printf("served %d connections\n", served_); }

 private:
  int served_ = 0;
};

void start_server(io::listening_socket listening) {  // the tour starts one too
  troupe::spawn<server>(std::move(listening));
}

troupe::coro<int> amain(std::string port) {
  io::listening_socket listening(io::endpoint::parse("127.0.0.1:" + port));
  std::printf("listening on port %u\n", static_cast<unsigned>(listening.local().port()));
  std::fflush(stdout);
  start_server(std::move(listening));
  const int signal = co_await troupe::received_signal(SIGINT, SIGTERM);
  std::printf("signal %d, finishing\n", signal);
  co_return 0;  // the server stops, and with it the listener and every session
}

int main(int argc, char** argv) {
  const char* port = "8888";
  if (argc == 3 && std::strcmp(argv[1], "--port") == 0) {
    port = argv[2];
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: echo_server [--port N]\n");
    return 2;
  }
  return troupe::run_main(amain(port));  // says it when the port is in use, or is no number
}
