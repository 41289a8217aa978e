// A handler returns something that is not the reply of its message.
// expect: handler_returns_something_else_than_the_reply<account, balance, const char
// errors: 1
#include <troupe/troupe.hpp>

struct balance {
  using reply = int;
};

class account : public troupe::actor<troupe::protocol<balance>> {
 public:
  const char* on(balance) { return "much"; }
};

void wrong() { troupe::spawn<account>(); }
