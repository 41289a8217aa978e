// on_enter is a coroutine, which would never run.
// expect: on_enter_and_on_exit_of_a_state_cannot_be_coroutines<closed>
// errors: 1
#include <troupe/troupe.hpp>

struct push {};

class closed;
class door : public troupe::state_machine<door, troupe::protocol<push>, closed> {};
class closed : public door::state {
 public:
  troupe::coro<> on_enter() { co_return; }
  void on(push) {}
};

void wrong() { troupe::spawn<door>(); }
