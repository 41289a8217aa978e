#include <troupe/runtime/awaiting.hpp>

#include <troupe/runtime/future_watch.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <set>
#include <vector>

namespace troupe::internal {

namespace {
/// Futures that are to be looked at, each once. Every ask that is not answered at once makes one, so it takes memory only when it
/// holds many.
class looked_at_once {
 public:
  explicit looked_at_once(const future_base& first) { add(first); }

  /// False when it was added before.
  bool add(const future_base& each) {
    if (std::find(few_, few_ + count_, &each) != few_ + count_) return false;
    if (count_ != most_few) {
      few_[count_++] = &each;
      return true;
    }
    if (!many_.insert(&each).second) return false;
    left_.push_back(&each);
    return true;
  }
  /// The next one; null when there is none left.
  const future_base* next() noexcept {
    if (!left_.empty()) {
      const future_base* const last = left_.back();
      left_.pop_back();
      return last;
    }
    return at_ != count_ ? few_[at_++] : nullptr;
  }

 private:
  static constexpr std::size_t most_few = 16;
  template <class T>
  using memory = pool_allocator<T>;

  const future_base* few_[most_few];
  std::size_t count_ = 0;
  std::size_t at_ = 0;
  // Those for which there was no room, and which of them are left.
  std::set<const future_base*, std::less<>, memory<const future_base*>> many_;
  std::vector<const future_base*, memory<const future_base*>> left_;
};

}  // namespace

void each_awaited_future(const task_base& task, const visitor<const future_base>& visit) {
  // Tasks may await each other in a circle, so what has been seen is kept: most tasks wait for one thing.
  looked_at_once all(task);
  const auto add = [&all](const future_base& each) {
    if (!each.done()) all.add(each);
  };
  while (const future_base* const next = all.next()) {
    if (const task_base* const waiting = next->as_task()) {
      if (&waiting->here() != loop::current()) continue;
      const suspension* const wait = waiting->waiting_for();
      if (wait != nullptr && wait->waits_for_each()) wait->each_awaited(add);
      continue;
    }
    bool made_of_others = false;
    next->each_part([&](const future_base& part) {
      made_of_others = true;
      add(part);
    });
    if (!made_of_others) visit(*next);
  }
}

void each_waiting_task(const future_base& awaited, const visitor<const task_base>& visit) {
  looked_at_once all(awaited);
  while (const future_base* const next = all.next()) {
    next->each_observer([&](observer& each) {
      const task_base* task = completion_wait::waiter_of(each);
      if (task == nullptr) task = task_group::waiter_of(each);
      if (task == nullptr) {
        const future_watch::waiter_of_all by = future_watch::waiter_of(each);
        if (by.whole != nullptr) all.add(*by.whole);
        task = by.task;
      }
      if (task != nullptr && &task->here() == loop::current() && all.add(*task)) visit(*task);
      return true;
    });
  }
}

}  // namespace troupe::internal
