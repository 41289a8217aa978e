#include <troupe/actors/counts.hpp>

#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/internal/each_loop.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/runtime/task.hpp>

#include <memory>
#include <mutex>

namespace troupe {

actor_counts counts_of_loop() {
  static_cast<void>(internal::running_loop("counts_of_loop"));
  const internal::actor_roots& here = internal::actor_roots::of_current_loop();
  return {here.dead_letters, here.refused_as_full, here.dropped, here.late_replies};
}

future<actor_counts> counts_of_runtime() {
  static_cast<void>(internal::running_loop("counts_of_runtime"));
  /// What the loops add to; the last to let go of it tells the sum.
  struct sum {
    ~sum() { static_cast<void>(told.try_set_value(total)); }
    void add() {
      const actor_counts own = counts_of_loop();
      const std::scoped_lock guard(lock);
      total += own;
    }
    std::mutex lock;
    actor_counts total;
    promise<actor_counts> told;
  };
  const auto all = std::make_shared<sum>();
  future<actor_counts> result = all->told.get_future();
  static_cast<void>(internal::on_each_loop([all] { all->add(); }));
  return result;
}

void internal::count_late_reply() noexcept {
  if (loop::current() != nullptr) ++actor_roots::of_current_loop().late_replies;
}

}  // namespace troupe
