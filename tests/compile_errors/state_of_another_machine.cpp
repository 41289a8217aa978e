// become names a state that the machine does not have.
// expect: state_is_not_one_of_the_machine<door, broken>
// errors: 1
#include <troupe/troupe.hpp>

struct push {};

class closed;
struct broken {};
class door : public troupe::state_machine<door, troupe::protocol<push>, closed> {};
class closed : public door::state {
 public:
  void on(push) { become<broken>(); }
};

void wrong() { troupe::spawn<door>(); }
