// The coroutine handler of a request returns nothing.
// expect: handler_returns_something_else_than_the_reply<account, balance, troupe::coro<>
// errors: 1
#include <troupe/troupe.hpp>

struct balance {
  using reply = int;
};

class account : public troupe::actor<troupe::protocol<balance>> {
 public:
  troupe::coro<> on(balance) { co_return; }
};

void wrong() { troupe::spawn<account>(); }
