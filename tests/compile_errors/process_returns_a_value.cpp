// A process gives no value: it is an actor, and answers by messages.
// expect: process_has_to_return_coro_of_nothing<troupe::coro<int> (*)(troupe::mailbox<tick>
// errors: 1
#include <troupe/actors/process.hpp>

struct tick {};

troupe::coro<int> clock_face(troupe::mailbox<tick>& inbox) {
  static_cast<void>(co_await inbox.receive());
  co_return 1;
}

void wrong() { troupe::spawn(clock_face); }
