// An actor puts aside what it does not understand.
// expect: message_is_not_in_the_protocol<tick, troupe::protocol<deposit>
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};
struct tick {};

class account : public troupe::actor<troupe::protocol<deposit>> {
 public:
  void on(deposit) { stash(tick{}); }
};

void wrong() { troupe::spawn<account>(); }
