// A router is asked something that has no reply.
// expect: message_has_no_reply_type_so_use_tell<deposit>
// errors: 1
#include <troupe/actors/router.hpp>

struct deposit {
  int cents;
};

void wrong(const troupe::router<troupe::protocol<deposit>>& accounts) { accounts.ask(deposit{5}); }
