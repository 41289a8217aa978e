// An actor that notes what it is sent, and may be kept busy while more comes. In a namespace of its own, for other tests
// have other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>

#include "actors/helpers.hpp"

#include <cstddef>
#include <functional>
#include <vector>

namespace troupe::testing::notes {

struct note {
  int number;
};
struct tick {};
struct hold {};  // keeps the actor busy for a second
struct total {
  using reply = int;
};
using noting = protocol<note, tick, hold, total>;

/// Notes what it is sent. Whoever spawns it says how many messages may wait.
class notary : public actor<noting> {
 public:
  explicit notary(std::vector<int>& into) : into_(into) {}
  void on(note n) { into_.push_back(n.number); }
  void on(tick) { into_.push_back(-1); }
  coro<> on(hold) { co_await sleep(1s); }
  int on(total) { return static_cast<int>(into_.size()); }

 private:
  std::vector<int>& into_;
};

inline spawn_options bounded(std::size_t capacity, overflow when_full, std::size_t high_water = 0) {
  return {.name = "", .on = place::here, .mailbox = {capacity, when_full, high_water}};
}

inline internal::actor_roots& counts() { return internal::actor_roots::of_current_loop(); }

/// A busy notary with so many notes waiting.
inline actor_ref<noting> busy_with(std::vector<int>& into, const spawn_options& options,
                                   int notes) {
  auto made = spawn<notary>(options, std::ref(into));
  made.tell(hold{});
  for (int number = 0; number < notes; ++number) made.tell(note{number});
  return made;
}

inline std::vector<int> numbers(int first, int last) {
  std::vector<int> all;
  for (int number = first; number <= last; ++number) all.push_back(number);
  return all;
}

}  // namespace troupe::testing::notes
