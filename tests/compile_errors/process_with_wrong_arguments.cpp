// A process is spawned with too few arguments.
// expect: process_takes_another_number_of_arguments<troupe::coro<> (*)(troupe::mailbox<tick>
// errors: 1
#include <troupe/actors/process.hpp>

struct tick {};

troupe::coro<> clock_face(troupe::mailbox<tick>& inbox, int, int) {
  static_cast<void>(co_await inbox.receive());
}

void wrong() { troupe::spawn(clock_face, 1); }
