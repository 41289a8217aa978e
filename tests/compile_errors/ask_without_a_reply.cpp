// A message is asked that has no answer.
// expect: message_has_no_reply_type_so_use_tell<deposit>
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};
using bank = troupe::protocol<deposit>;

void wrong(troupe::actor_ref<bank> account) { account.ask(deposit{5}); }
