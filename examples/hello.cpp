// The smallest actor: an account that is told of deposits and asked for its balance.
// Run: hello        Prints: the account holds 500 cents
#include <troupe/troupe.hpp>

#include <cstdint>
#include <cstdio>

using namespace std::chrono_literals;

struct deposit {  // messages are plain structs
  std::int64_t cents;
};
struct balance {  // a request names its reply
  using reply = std::int64_t;
};
using bank = troupe::protocol<deposit, balance>;  // what an account understands

class account : public troupe::actor<bank> {
 public:
  void on(deposit d) { cents_ += d.cents; }
  std::int64_t on(balance) { return cents_; }

 private:
  std::int64_t cents_ = 0;
};

troupe::coro<int> amain() {
  troupe::actor_ref<bank> savings = troupe::spawn<account>();
  savings.tell(deposit{500});
  const std::int64_t cents = co_await savings.ask(balance{}, 1s);
  std::printf("the account holds %lld cents\n", static_cast<long long>(cents));
  co_return cents == 500 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
