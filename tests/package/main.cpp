// What a user's first program needs of an installed troupe: actors that answer, and a socket that listens.
#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <utility>

using namespace std::chrono_literals;
namespace io = troupe::io;

struct add {
  int number;
  using reply = int;
};

/// Adds up, and listens.
class counter : public troupe::actor<troupe::protocol<add, io::accepted>> {
 public:
  explicit counter(io::listening_socket door) { spawn<io::tcp_listener>(std::move(door), self()); }

  int on(add message) { return sum_ += message.number; }
  void on(io::accepted) {}

 private:
  int sum_ = 0;
};

troupe::coro<int> amain() {
  io::listening_socket door(io::endpoint::loopback(0));
  const io::endpoint where = door.local();
  auto sums = troupe::spawn<counter>(std::move(door));
  const io::socket guest = co_await io::connect(where);
  const int first = co_await sums.ask(add{40}, 1s);
  const int second = co_await sums.ask(add{2}, 1s);
  co_return guest.peer() == where&& first == 40 && second == 42 ? 0 : 1;
}

int main() { return troupe::run(amain()); }
