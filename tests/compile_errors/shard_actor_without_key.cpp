// The actor of a shard is not made of its key.
// expect: actor_of_a_shard_has_no_constructor_for_its_key_and<account
// errors: 1
#include <troupe/actors/cluster/shard.hpp>

struct balance {
  using reply = int;
};

class account : public troupe::actor<troupe::protocol<balance>> {
 public:
  int on(balance) { return 0; }
};

void wrong(troupe::cluster::node& here) {
  troupe::cluster::shard<std::string, account> accounts(here, "accounts");
}
