// A program for CAF, moved: its actors run on troupe's loop as they are, and then one of them is replaced by a troupe actor.
// Run: caf_calculator        Prints: what the tester of the CAF program has found, without and with the troupe actor
#include <troupe/actors/caf/caf_system.hpp>
#include <troupe/actors/caf/from_caf.hpp>
#include <troupe/actors/caf/to_caf.hpp>
#include <troupe/troupe.hpp>

#include <caf/all.hpp>

#include <cstdio>
#include <utility>

using namespace std::chrono_literals;

// [before]
// --- the CAF program, of which no line has changed ---------------------------------------------------------------------

caf::behavior calculator(caf::event_based_actor*) {
  return {
      [](caf::add_atom, int a, int b) { return a + b; },
      [](caf::sub_atom, int a, int b) { return a - b; },
  };
}

void tester(caf::event_based_actor* self, const caf::actor& asked, int a, int b) {
  self->request(asked, 1s, caf::add_atom_v, a, b)
      .then([=](int sum) { std::printf("%d + %d = %d\n", a, b, sum); },
            [=](const caf::error& why) {
              std::printf("%d + %d: %s\n", a, b, self->system().render(why).c_str());
            });
}
// [/before]

// [messages]
// --- what is new -------------------------------------------------------------------------------------------------------

struct add {  // in CAF: (add_atom, int, int), answered by an int
  using reply = int;
  using caf_form = troupe::caf_fields<caf::add_atom>;
  int a = 0;
  int b = 0;
};
using adder = troupe::protocol<add>;
// [/messages]

// [actor]
/// A troupe actor before the calculator of CAF: it asks that, but not for everything.
class careful : public troupe::actor<adder> {
 public:
  explicit careful(troupe::actor_ref<adder> real) : real_(std::move(real)) {}

  troupe::coro<int> on(add wanted) {
    if (wanted.a > 100) throw troupe::rejected("that is too much for me");
    co_return co_await real_.ask(wanted);
  }

 private:
  troupe::actor_ref<adder> real_;
};
// [/actor]

// [main]
troupe::coro<int> amain() {
  // was: caf::actor_system_config config; caf::actor_system sys(config);
  troupe::caf_system sys;

  // was: auto calc = sys.spawn(calculator); ... and from here on nothing but a `->` is new
  const caf::actor calc = sys->spawn(calculator);
  sys->spawn(tester, calc, 1, 2);

  // A task asks it as any actor,
  const troupe::actor_ref<adder> ref = troupe::from_caf<adder>(calc);
  const int sum = co_await ref.ask(add{3, 4});
  std::printf("a task was told that 3 + 4 = %d\n", sum);

  // and CAF's actors take a troupe actor for one of theirs.
  const caf::actor better = troupe::to_caf(troupe::spawn<careful>(ref));
  sys->spawn(tester, better, 5, 6);
  sys->spawn(tester, better, 500, 600);  // prints what careful has thrown

  // was: the end of `sys`, which waits for its actors. Here `calc` does not end by itself: the ref keeps it.
  co_await sys.actors_done(1);
  ref.stop();
  co_await sys.actors_done();
  co_return sum == 7 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
// [/main]
