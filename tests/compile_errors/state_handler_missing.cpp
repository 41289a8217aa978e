// Neither a state nor the machine itself has a handler for a message of the protocol.
// expect: no_state_and_not_the_machine_has_a_public_handler_on_for_message<door, knock>
// errors: 1
#include <troupe/troupe.hpp>

struct push {};
struct knock {
  using reply = int;
};

class closed;
class door : public troupe::state_machine<door, troupe::protocol<push, knock>, closed> {};
class closed : public door::state {
 public:
  void on(push) {}
};

void wrong() { troupe::spawn<door>(); }
