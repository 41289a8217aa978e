// A handler wants to answer with something else than the reply.
// expect: actor_has_no_public_handler_on_for_message<account, balance>
// errors: 1
#include <troupe/troupe.hpp>

#include <string>

struct balance {
  using reply = int;
};

class account : public troupe::actor<troupe::protocol<balance>> {
 public:
  void on(balance, troupe::reply_to<std::string>) {}
};

void wrong() { troupe::spawn<account>(); }
