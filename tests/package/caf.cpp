// What a user's first program needs of an installed troupe with CAF: a CAF actor that is asked by a task.
#include <troupe/actors/caf/caf_system.hpp>
#include <troupe/actors/caf/from_caf.hpp>
#include <troupe/troupe.hpp>

#include <caf/all.hpp>

struct twice {
  using reply = int;
  using caf_form = troupe::caf_fields<>;
  int value = 0;
};

caf::behavior doubling(caf::event_based_actor*) {
  return {[](int value) { return 2 * value; }};
}

troupe::coro<int> amain() {
  troupe::caf_system sys;
  const auto ref = troupe::from_caf<troupe::protocol<twice>>(sys->spawn(doubling));
  const int answer = co_await ref.ask(twice{21});
  co_return answer == 42 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
