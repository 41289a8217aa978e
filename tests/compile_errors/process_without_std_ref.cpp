// A process takes something by reference that it is passed without std::ref: it would get a copy.
// expect: process_parameter_is_a_reference_so_pass_std_ref<int
// errors: 1
#include <troupe/actors/process.hpp>

struct tick {};

troupe::coro<> clock_face(troupe::mailbox<tick>& inbox, int& count) {
  static_cast<void>(co_await inbox.receive());
  ++count;
}

void wrong(int& count) { troupe::spawn(clock_face, count); }
