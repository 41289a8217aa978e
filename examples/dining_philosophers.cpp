// Five philosophers, five forks, two forks to eat. When each takes the fork on the left first, each waits for a neighbour: the ask
// that closes the circle fails at once and says who waits for whom. When the forks are taken in one order, no circle can close.
// Run: dining_philosophers        Prints: the deadlock, then how often each has eaten when there is none
#include <troupe/troupe.hpp>

#include <cstddef>
#include <cstdio>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

struct take;
using fork_ref = troupe::actor_ref<troupe::protocol<take>>;

/// Answered when the philosopher has eaten.
struct take {
  using reply = void;
  explicit take(fork_ref next = {}) : other(std::move(next)) {}
  fork_ref other;  // to be taken as well; nobody when this is the second of the two
};

// [fork]
/// It is held by the one whose `take` it handles. All others wait in its mailbox.
class table_fork : public troupe::actor<troupe::protocol<take>> {
 public:
  troupe::coro<> on(take t) {
    if (!t.other) {
      co_await troupe::sleep(1ms);  // eats
      co_return;
    }
    co_await troupe::sleep(1ms);  // reaches out, and so do the others
    try {
      co_await t.other.ask(take());
    } catch (const troupe::ask_deadlock& deadlock) {
      throw troupe::rejected(deadlock.what());  // anything else would be a crash of this fork
    }
  }
};
// [/fork]

enum class manners { left_first, lower_first };

struct philosopher {
  const char* name;
  fork_ref first;
  fork_ref second;
  int meals = 0;
};

troupe::coro<> dine(philosopher& who, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    try {
      co_await who.first.ask(take(who.second));
      ++who.meals;
    } catch (const troupe::rejected& refusal) {
      std::printf("%s puts the fork back: %s\n", who.name, refusal.what());
    }
  }
}

/// Returns how many meals there were.
troupe::coro<int> dinner(manners taught, int rounds) {
  static constexpr const char* names[] = {"Plato", "Hypatia", "Laozi", "Kant", "Arendt"};
  static constexpr const char* forks[] = {"1", "2", "3", "4", "5"};
  std::vector<fork_ref> table;
  for (const char* name : forks) table.push_back(troupe::spawn<table_fork>({.name = name}));

  std::vector<philosopher> guests;
  for (std::size_t seat = 0; seat < table.size(); ++seat) {
    std::size_t first = seat;
    std::size_t second = (seat + 1) % table.size();
    if (taught == manners::lower_first && second < first) std::swap(first, second);
    guests.push_back({names[seat], table[first], table[second]});
  }
  std::vector<troupe::coro<>> all;
  for (philosopher& each : guests) all.push_back(dine(each, rounds));
  co_await troupe::gather(std::move(all));

  int meals = 0;
  for (const philosopher& each : guests) {
    std::printf("%s has eaten %d of %d times\n", each.name, each.meals, rounds);
    meals += each.meals;
  }
  for (const fork_ref& each : table) each.stop();
  co_return meals;
}

troupe::coro<int> amain() {
  std::puts("-- each takes the left fork first");
  const int with_deadlock = co_await dinner(manners::left_first, 1);
  std::puts("-- each takes the lower fork first");
  const int without = co_await dinner(manners::lower_first, 10);
  co_return with_deadlock == 4 && without == 50 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
