// A message is told that is not in the actor's protocol.
// expect: message_is_not_in_the_protocol<withdraw, troupe::protocol<deposit, balance>
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};
struct balance {
  using reply = int;
};
struct withdraw {
  int cents;
};
using bank = troupe::protocol<deposit, balance>;

void wrong(troupe::actor_ref<bank> account) { account.tell(withdraw{5}); }
