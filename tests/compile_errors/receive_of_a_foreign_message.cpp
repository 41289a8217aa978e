// A process receives what is not in its mailbox.
// expect: message_is_not_in_the_protocol<tock, troupe::protocol<tick>
// errors: 1
#include <troupe/actors/process.hpp>

struct tick {};
struct tock {};

troupe::coro<> wrong(troupe::mailbox<tick>& inbox) {
  static_cast<void>(co_await inbox.receive<tock>());
}
