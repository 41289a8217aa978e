// An actor subscribes to messages that it does not understand.
// expect: message_is_not_in_the_protocol<price, troupe::protocol<deposit>
// errors: 1
#include <troupe/actors/topic.hpp>

struct deposit {
  int cents;
};
struct price {
  int cents;
};

void wrong(const troupe::topic<price>& prices,
           const troupe::actor_ref<troupe::protocol<deposit>>& account) {
  prices.subscribe(account);
}
