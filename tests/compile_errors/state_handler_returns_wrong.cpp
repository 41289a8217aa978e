// The handler of a state returns something else than the reply.
// expect: handler_returns_something_else_than_the_reply<closed, knock, void>
// errors: 1
#include <troupe/troupe.hpp>

struct knock {
  using reply = int;
};

class closed;
class door : public troupe::state_machine<door, troupe::protocol<knock>, closed> {};
class closed : public door::state {
 public:
  void on(knock) {}
};

void wrong() { troupe::spawn<door>(); }
