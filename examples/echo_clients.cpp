// A thousand clients at once: each is an actor with a connection, sends a line, waits for it to come back, and so on.
// Run: echo_clients PORT        (a port of 127.0.0.1 on which an echo server listens)
// Prints: how many clients got all their lines back, and lines a second
#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

namespace io = troupe::io;
using steady = std::chrono::steady_clock;

constexpr int rounds = 20;
constexpr std::size_t line_size = 64;

struct client_done {
  bool well;
};
struct start_clients {
  using reply = int;  // how many ended well
  io::endpoint server;
  std::size_t count;
};

/// One connection: sends a line, waits until all of it is back, and so on.
class client : public troupe::actor<io::connection_events> {
 public:
  client(io::endpoint server, troupe::actor_ref<troupe::protocol<client_done>> boss)
      : server_(server), boss_(std::move(boss)) {}

  troupe::coro<> on_start() {
    io::socket connected = co_await io::connect(server_);
    connection_ = spawn<io::tcp_connection>(std::move(connected), self());
    connection_.tell(io::demand{rounds * line_size});
    send_line();
  }
  void on(io::data d) {
    waiting_for_ -= d.chunk.size();
    if (waiting_for_ != 0) return;
    if (++done_ == rounds) {
      connection_.tell(io::close{});
    } else {
      send_line();
    }
  }
  void on(io::drained) {}
  void on(io::end_of_data) {}
  void on(io::closed) { stop(); }
  void on_stop() { boss_.tell(client_done{done_ == rounds}); }  // also when connecting failed

 private:
  void send_line() {
    waiting_for_ = line_size;
    connection_.tell(io::write(io::bytes(std::string(line_size - 1, 'x') + '\n')));
  }

  io::endpoint server_;
  troupe::actor_ref<troupe::protocol<client_done>> boss_;
  troupe::actor_ref<io::connection> connection_;
  std::size_t waiting_for_ = 0;
  int done_ = 0;
};

class crowd : public troupe::actor<troupe::protocol<start_clients, client_done>> {
 public:
  void on(start_clients s, troupe::reply_to<int> answer) {
    answer_ = std::move(answer);
    left_ = s.count;
    for (std::size_t made = 0; made < s.count; ++made) spawn<client>(s.server, self());
  }
  void on(client_done d) {
    well_ += d.well ? 1 : 0;
    if (--left_ == 0) answer_.answer(well_);
  }

 private:
  troupe::reply_to<int> answer_;
  std::size_t left_ = 0;
  int well_ = 0;
};

/// How many clients the process may have, when the server's ends of the connections are in it too.
std::size_t clients_allowed() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(1000, (limit.rlim_cur - 100) / 2);
}

troupe::coro<int> run_clients(io::endpoint server) {
  const start_clients wanted{server, clients_allowed()};
  auto all = troupe::spawn<crowd>();
  const auto start = steady::now();
  const int well = co_await all.ask(wanted, std::chrono::seconds(60));
  const double seconds = std::chrono::duration<double>(steady::now() - start).count();
  std::printf("%zu clients connected to port %u; %d of them got all %d lines back\n", wanted.count,
              static_cast<unsigned>(server.port()), well, rounds);
  std::printf("%.0f lines a second, connecting and closing included\n", well * rounds / seconds);
  co_return static_cast<std::size_t>(well) == wanted.count ? 0 : 1;
}

troupe::coro<int> amain(std::string port) {
  const io::endpoint server = io::endpoint::parse("127.0.0.1:" + port);
  co_return co_await run_clients(server);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: echo_clients PORT\n");
    return 2;
  }
  return troupe::run_main(amain(argv[1]));
}
