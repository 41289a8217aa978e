// An actor has no handler for a message of its protocol.
// expect: actor_has_no_public_handler_on_for_message<account, balance>
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};
struct balance {
  using reply = int;
};

class account : public troupe::actor<troupe::protocol<deposit, balance>> {
 public:
  void on(deposit) {}
};

void wrong() { troupe::spawn<account>(); }
