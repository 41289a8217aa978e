// Messages instead of bytes: a store that answers requests, each with its length in front of it. The server's side is an actor that is
// sent frames, the client's a coroutine that reads them; both have the same codec, which knows nothing of sockets.
// Run: frames        Prints: what the store answers, and what becomes of a request that is too long
#include <troupe/io/framed.hpp>
#include <troupe/io/framed_connection.hpp>
#include <troupe/io/length_prefixed.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <system_error>
#include <utility>

namespace io = troupe::io;

// [codec]
/// Both sides: two bytes of length, and no request or answer of more than a thousand.
io::length_prefixed store_protocol() {
  io::length_options options;
  options.width = io::length_width::two;
  options.limit = 1000;
  return io::length_prefixed(options);
}
// [/codec]

// [session]
using frames = io::frames<io::bytes>;

/// One client of the store. It may send eight requests ahead of the answers.
class session : public troupe::actor<frames::events> {
 public:
  explicit session(io::socket connected)
      : connection_(spawn<io::framed_connection<io::length_prefixed>>(
            io::make_transport(std::move(connected)), self(), store_protocol())) {}

  void on_start() { connection_.tell(frames::demand{8}); }
  void on(frames::frame f) {
    connection_.tell(frames::write(io::bytes(answer(std::string(f.content.text())))));
  }
  void on(frames::drained d) { connection_.tell(frames::demand{d.frames}); }
  void on(frames::malformed) {}
  void on(frames::end_of_data) { connection_.tell(io::close{}); }
  void on(frames::closed) { stop(); }

 private:
  std::string answer(const std::string& request) {
    const std::size_t is = request.find('=');
    if (is == std::string::npos) return values_.contains(request) ? values_[request] : "(nothing)";
    values_[request.substr(0, is)] = request.substr(is + 1);
    return "ok";
  }

  troupe::actor_ref<frames::connection> connection_;
  std::map<std::string, std::string> values_;
};
// [/session]

class server : public troupe::actor<io::listener_events> {
 public:
  explicit server(io::listening_socket listening) {
    spawn<io::tcp_listener>(std::move(listening), self());
  }
  void on(io::accepted a) { spawn<session>(std::move(a.connected)); }
};

// [client]
troupe::coro<std::string> ask(io::framed<io::length_prefixed>& store, std::string request) {
  store.write(request);
  co_await store.drain();
  const auto answer = co_await store.read();
  co_return answer ? std::string(answer->text()) : "(the store has gone)";
}
// [/client]

troupe::coro<int> amain() {
  io::listening_socket listening(io::endpoint::loopback(0));
  const io::endpoint where = listening.local();
  troupe::spawn<server>(std::move(listening));

  io::stream connected = co_await io::open_connection(where);
  io::framed<io::length_prefixed> store(std::move(connected), store_protocol());
  int right = 0;
  for (const char* request : {"tea", "tea=3 bags", "coffee=none", "tea"}) {
    const std::string answer = co_await ask(store, request);
    std::printf("%s -> %s\n", request, answer.c_str());
    if (answer == "ok" || answer == "3 bags" || answer == "(nothing)") ++right;
  }
  try {
    store.write(std::string(2000, 'x'));
  } catch (const io::bad_frame& error) {
    std::printf("%s\n", error.what());
    ++right;
  }
  // Somebody who speaks another protocol: the store sees a length of 18245.
  io::stream stranger = co_await io::open_connection(where);
  stranger.write("GET / HTTP/1.1\r\n\r\n");
  try {
    co_await stranger.read_all();
  } catch (const std::system_error& error) {
    std::printf("a stranger -> %s\n", error.code().message().c_str());
    ++right;
  }
  co_return right == 6 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
