// A ref is used as if its actor understood more than it does.
// expect(gcc): from 'actor_ref<protocol<deposit>>' to 'actor_ref<protocol<deposit, balance>>'
// expect(clang): no viable conversion from returned value
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};
struct balance {
  using reply = int;
};

troupe::actor_ref<troupe::protocol<deposit, balance>> wrong(
    troupe::actor_ref<troupe::protocol<deposit>> account) {
  return account;
}
