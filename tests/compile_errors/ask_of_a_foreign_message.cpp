// A request is asked that is not in the actor's protocol.
// expect: message_is_not_in_the_protocol<limit, troupe::protocol<deposit, balance>
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};
struct balance {
  using reply = int;
};
struct limit {
  using reply = int;
};
using bank = troupe::protocol<deposit, balance>;

void wrong(troupe::actor_ref<bank> account) { account.ask(limit{}); }
