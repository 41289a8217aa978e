// Pings over UDP: a server that sends back what comes, and a client that measures how long that takes and waits for no datagram longer
// than a limit, since one that is lost never comes.
// Run: udp_ping                        both in one process; the server drops every tenth datagram
//      udp_ping server HOST:PORT       until it is interrupted
//      udp_ping client HOST:PORT
// Prints: the least, mean and largest round trip time, and how many were lost
#include <troupe/io/resolve.hpp>
#include <troupe/io/udp.hpp>
#include <troupe/troupe.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace io = troupe::io;
using namespace std::chrono_literals;

constexpr int pings = 50;
constexpr auto limit = 50ms;

// [server]
/// Sends everything back to where it came from, but each `lossy`-th datagram, if that is not 0.
troupe::coro<> serve(io::udp_socket& socket, int lossy) {
  for (int count = 1;; ++count) {
    const io::datagram ping = co_await socket.receive();
    if (lossy != 0 && count % lossy == 0) continue;
    co_await socket.send_to(ping.content.span(), ping.from);
  }
}
// [/server]

// [answer]
/// The answer to that very ping: one that comes too late is still on its way when the next is waited for.
troupe::coro<> answer_to(io::udp_socket& socket, const std::string& ping) {
  for (;;) {
    const io::datagram answer = co_await socket.receive();
    if (answer.content.text() == ping) co_return;
  }
}
// [/answer]

/// One round trip, or nothing when it was lost.
// [ping]
troupe::coro<bool> ping_once(io::udp_socket& socket, int number) {
  const std::string ping = "ping " + std::to_string(number);
  co_await socket.send(ping);
  co_return co_await troupe::move_on_after(limit, answer_to(socket, ping));
}
// [/ping]

troupe::coro<int> measure(io::endpoint server) {
  io::udp_socket socket = io::udp_socket::connected(server);
  std::vector<double> times;
  for (int number = 0; number < pings; ++number) {
    const auto begin = std::chrono::steady_clock::now();
    if (!co_await ping_once(socket, number)) continue;
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  const auto lost = pings - static_cast<int>(times.size());
  std::printf("%d datagrams sent to %s, %d lost\n", pings, server.text().c_str(), lost);
  if (times.empty()) co_return pings;
  double sum = 0;
  for (const double each : times) sum += each;
  const auto [least, most] = std::minmax_element(times.begin(), times.end());
  std::printf("round trip min/avg/max %.0f/%.0f/%.0f us\n", *least,
              sum / static_cast<double>(times.size()), *most);
  co_return lost;
}

troupe::coro<int> both() {
  io::udp_socket socket(io::endpoint::loopback(0));
  auto serving = troupe::create_task(serve(socket, 10), {.name = "server"});
  const int lost = co_await measure(socket.local());
  serving.cancel();
  co_return lost >= pings / 10 ? 0 : 1;
}

troupe::coro<int> run_as(bool server, std::string where) {
  const std::size_t colon = where.rfind(':');
  if (colon == std::string::npos)
    throw io::bad_address("'" + where + "' has no port: write HOST:PORT");
  std::string host = where.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto found = co_await io::resolve(host, where.substr(colon + 1));
  if (!server) co_return co_await measure(found.front()) == pings ? 1 : 0;
  io::udp_socket socket(found.front());
  std::printf("answering on %s\n", socket.local().text().c_str());
  std::fflush(stdout);
  co_await serve(socket, 0);
  co_return 0;
}

int main(int argc, char** argv) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (argc != 1 && !(argc == 3 && (role == "server" || role == "client"))) {
    std::fprintf(stderr, "usage: udp_ping [server|client HOST:PORT]\n");
    return 2;
  }
  return troupe::run_main(argc == 1 ? both() : run_as(role == "server", argv[2]));
}
