// The handler of a message is private.
// expect: actor_has_no_public_handler_on_for_message<account, deposit>
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};

class account : public troupe::actor<troupe::protocol<deposit>> {
  void on(deposit) {}
};

void wrong() { troupe::spawn<account>(); }
