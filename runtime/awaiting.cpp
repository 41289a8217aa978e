#include <troupe/runtime/awaiting.hpp>

#include <troupe/runtime/future_watch.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>

#include <set>
#include <vector>

namespace troupe::internal {

void each_awaited_future(const task_base& task, const callable<void(const future_base&)>& visit) {
  // Tasks may await each other in a circle, so what has been seen is kept: most tasks wait for one thing.
  std::vector<const future_base*> left{&task};
  std::set<const future_base*> seen{&task};
  const auto add = [&left, &seen](const future_base& each) {
    if (!each.done() && seen.insert(&each).second) left.push_back(&each);
  };
  while (!left.empty()) {
    const future_base& next = *left.back();
    left.pop_back();
    if (const task_base* const waiting = next.as_task()) {
      if (&waiting->here() != loop::current()) continue;
      const suspension* const wait = waiting->waiting_for();
      if (wait != nullptr && wait->waits_for_each()) wait->each_awaited(add);
      continue;
    }
    bool made_of_others = false;
    next.each_part([&](const future_base& part) {
      made_of_others = true;
      add(part);
    });
    if (!made_of_others) visit(next);
  }
}

void each_waiting_task(const future_base& awaited, const callable<void(const task_base&)>& visit) {
  std::vector<const future_base*> left{&awaited};
  std::set<const future_base*> seen{&awaited};
  const auto add = [&left, &seen](const future_base* each) {
    if (each != nullptr && seen.insert(each).second) left.push_back(each);
  };
  while (!left.empty()) {
    const future_base& next = *left.back();
    left.pop_back();
    next.each_observer([&](observer& each) {
      const task_base* task = completion_wait::waiter_of(each);
      if (task == nullptr) task = task_group::waiter_of(each);
      if (task == nullptr) {
        const future_watch::waiter_of_all by = future_watch::waiter_of(each);
        add(by.whole);
        task = by.task;
      }
      if (task != nullptr && &task->here() == loop::current()) {
        if (!seen.contains(task)) visit(*task);
        add(task);
      }
      return true;
    });
  }
}

}  // namespace troupe::internal
