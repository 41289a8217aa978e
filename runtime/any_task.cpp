#include <troupe/runtime/any_task.hpp>

namespace troupe {

task_base& any_task::base() const {
  if (task_ == nullptr) throw invalid_state("use of an any_task that holds no task");
  return *task_;
}

std::exception_ptr any_task::exception() const {
  if (!base().done()) internal::throw_not_done();
  return base().error();
}

any_task current_task() noexcept { return any_task(task_base::current()); }

std::vector<any_task> all_tasks() { return all_tasks(internal::running_loop("all_tasks")); }

std::vector<any_task> all_tasks(loop& home) {
  std::vector<any_task> found;
  home.each_task([&found](task_base& each) {
    if (!each.done()) found.emplace_back(&each);
  });
  return found;
}

}  // namespace troupe
