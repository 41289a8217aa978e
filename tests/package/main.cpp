// What a user's first program needs of an installed troupe: an actor, an answer, an exit status.
#include <troupe/troupe.hpp>

using namespace std::chrono_literals;

struct add {
  int number;
  using reply = int;
};
using counting = troupe::protocol<add>;

class counter : public troupe::actor<counting> {
 public:
  int on(add message) { return sum_ += message.number; }

 private:
  int sum_ = 0;
};

troupe::coro<int> amain() {
  troupe::actor_ref<counting> sums = troupe::spawn<counter>();
  const int first = co_await sums.ask(add{40}, 1s);
  const int second = co_await sums.ask(add{2}, 1s);
  co_return first == 40 && second == 42 ? 0 : 1;
}

int main() { return troupe::run(amain()); }
