// Three accounts: money moves between two, a withdrawal is rejected, and one account crashes without harm to the others.
// Run: bank        Prints: what happens to each account; the crash is reported on standard error
#include <troupe/troupe.hpp>

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

struct deposit {
  using reply = std::int64_t;  // the new balance
  std::int64_t cents;
};
struct withdraw {
  using reply = std::int64_t;
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
struct audit {};

using bank = troupe::protocol<deposit, withdraw, balance, audit>;
using account_ref = troupe::actor_ref<bank>;

class account : public troupe::actor<bank> {
 public:
  explicit account(std::int64_t cents) : cents_(cents) {}

  std::int64_t on(deposit d) { return cents_ += d.cents; }
  std::int64_t on(withdraw w) {
    // The asker gets this; the account lives on.
    if (w.cents > cents_)
      throw troupe::rejected("only " + std::to_string(cents_) + " cents are there");
    return cents_ -= w.cents;
  }
  std::int64_t on(balance) { return cents_; }
  void on(audit) {
    // Anything but `rejected` is a crash: this account stops.
    if (cents_ == 0) throw std::logic_error("an empty account was audited");
  }

 private:
  std::int64_t cents_;
};

/// Moves money, or gives it back when the second half fails.
struct transfer {
  using reply = void;
  account_ref from;
  account_ref to;
  std::int64_t cents;
};

class teller : public troupe::actor<troupe::protocol<transfer>> {
 public:
  troupe::coro<> on(transfer t) {  // a handler may wait
    co_await t.from.ask(withdraw{t.cents});
    std::string problem;
    try {
      co_await t.to.ask(deposit{t.cents});
    } catch (const std::exception&
                 error) {      // it is dead, it crashed over this, or it did not answer in time
      problem = error.what();  // no co_await inside a catch
    }
    if (!problem.empty()) {
      co_await t.from.ask(deposit{t.cents});
      throw troupe::rejected("the money is back: " + problem);
    }
  }
};

troupe::coro<> move_money(troupe::actor_ref<troupe::protocol<transfer>> by, account_ref from,
                          account_ref to, std::int64_t cents) {
  auto moved = by.ask(transfer{from, to, cents});  // named first: see "g++ 12" in the README
  try {
    co_await moved;
    std::printf("moved %lld cents\n", static_cast<long long>(cents));
  } catch (const troupe::rejected& refusal) {
    std::printf("could not move %lld cents: %s\n", static_cast<long long>(cents), refusal.what());
  }
}

troupe::coro<int> amain() {
  auto alice = troupe::spawn<account>({.name = "alice"}, 100);
  auto bob = troupe::spawn<account>({.name = "bob"}, 20);
  auto carol = troupe::spawn<account>({.name = "carol"}, 0);
  auto desk = troupe::spawn<teller>();

  co_await move_money(desk, alice, bob, 60);
  co_await move_money(desk, alice, bob, 60);  // rejected: 40 are left

  carol.tell(audit{});  // crashes carol, and only her
  co_await move_money(desk, bob, carol, 30);

  const auto [a, b] = co_await troupe::gather(alice.ask(balance{}), bob.ask(balance{}));
  std::printf("alice %lld, bob %lld\n", static_cast<long long>(a), static_cast<long long>(b));
  co_return a == 40 && b == 80 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
