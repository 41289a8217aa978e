// A process is spawned with an argument of another type than it takes.
// expect: process_argument_does_not_fit<int, troupe::place>
// errors: 1
#include <troupe/actors/process.hpp>

struct tick {};

troupe::coro<> clock_face(troupe::mailbox<tick>& inbox, int) {
  static_cast<void>(co_await inbox.receive());
}

void wrong() { troupe::spawn(clock_face, troupe::place::here); }
