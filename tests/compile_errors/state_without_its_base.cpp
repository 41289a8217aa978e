// A state does not derive from the state of its machine.
// expect: state_does_not_derive_from_the_state_of_its_machine<door, closed>
// errors: 1
#include <troupe/troupe.hpp>

struct push {};

class closed;
class door : public troupe::state_machine<door, troupe::protocol<push>, closed> {};
class closed {
 public:
  void on(push) {}
};

void wrong() { troupe::spawn<door>(); }
