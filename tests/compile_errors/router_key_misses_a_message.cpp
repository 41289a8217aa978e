// The key function of a router does not take each message of the protocol.
// expect: key_function_of_a_router_does_not_take<account_of, balance>
// errors: 1
#include <troupe/actors/router.hpp>

struct deposit {
  int account;
};
struct balance {
  using reply = int;
};
struct account_of {
  int operator()(const deposit& d) const { return d.account; }
};

auto wrong() { return troupe::router<troupe::protocol<deposit, balance>>::by_key(account_of()); }
