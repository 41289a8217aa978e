// Workers that crash, and a supervisor that starts them again: in place, so refs stay good and what waits for them is not lost. When
// one crashes too often the supervisor gives up, and whoever has started it hears why.
// Run: supervised_workers        Prints: what becomes of each order; each crash and restart is reported on standard error
#include <troupe/troupe.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;

/// Divides a cake among guests.
struct order {
  using reply = int;  // pieces for each guest
  int pieces;
  int guests;
};
struct orders_done {
  using reply = int;
};
using kitchen_work = troupe::protocol<order, orders_done>;
using worker_ref = troupe::actor_ref<kitchen_work>;

/// Knows nothing of supervision. It does not look out for orders of no guests either: that one crashes it.
class worker : public troupe::actor<kitchen_work> {
 public:
  int on(order o) {
    if (o.guests == 0) throw std::invalid_argument("a cake for nobody");
    ++done_;
    return o.pieces / o.guests;
  }
  int on(orders_done) { return done_; }

 private:
  int done_ = 0;  // gone with a crash: the new worker begins with fresh state
};

struct staff {
  using reply = std::pair<worker_ref, worker_ref>;
};

// [supervisor]
class kitchen : public troupe::actor<troupe::protocol<staff>> {
 public:
  kitchen() {
    supervise_as({.how = troupe::strategy::one_for_one, .max_restarts = 2, .within = 10s});
    ada_ = supervise<worker>({.name = "ada"});
    bob_ = supervise<worker>({.name = "bob"});
  }
  std::pair<worker_ref, worker_ref> on(staff) { return {ada_, bob_}; }

 private:
  worker_ref ada_;
  worker_ref bob_;
};
// [/supervisor]

troupe::coro<> serve(worker_ref by, order wanted) {
  try {
    const int each = co_await by.ask(wanted);
    std::printf("%s: %d pieces for each of %d guests\n", by.description().c_str(), each,
                wanted.guests);
  } catch (const std::exception& error) {
    std::printf("%s: no cake: %s\n", by.description().c_str(), error.what());
  }
}

troupe::coro<int> amain() {
  auto cooks = troupe::spawn<kitchen>({.name = "cakes"});
  auto ended = cooks.stopped();
  const auto [ada, bob] = co_await cooks.ask(staff{});

  std::puts("-- ada crashes; the order behind is served by the new one, with the same ref");
  co_await serve(ada, {12, 4});
  co_await serve(bob, {12, 3});
  co_await troupe::gather(serve(ada, {12, 0}), serve(ada, {12, 6}));
  const auto [by_ada, by_bob] =
      co_await troupe::gather(ada.ask(orders_done{}), bob.ask(orders_done{}));
  std::printf("since their start: ada %d, bob %d\n", by_ada, by_bob);

  std::puts("-- she crashes twice more: that is one crash too many");
  co_await serve(ada, {8, 0});
  co_await serve(ada, {8, 0});
  const troupe::exit_reason why = co_await ended;
  std::printf("the kitchen has %s\n", why.text().c_str());
  co_await serve(bob, {8, 2});
  co_return by_ada == 1 && by_bob == 1 && why.failed() ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
