#include <troupe/runtime/call_graph.hpp>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>
#include <vector>

namespace troupe {

namespace {

std::string_view file_of(const std::source_location& where) {
  const std::string_view path = where.file_name();
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string line_of(const std::source_location& where) {
  return std::string(file_of(where)) + ':' + std::to_string(where.line());
}

/// The function's name. Inside a coroutine g++ gives that of the function it has made of it: "void f(f(int)::_Z1fi.Frame*)".
std::string function_of(const std::source_location& where) {
  const std::string_view name = where.function_name();
  constexpr std::string_view prefix = "void ";
  const auto mangled = name.rfind("::_Z");
  if (!name.starts_with(prefix) || !name.ends_with(".Frame*)") || mangled == std::string_view::npos)
    return std::string(name);
  for (auto at = name.find('('); at < mangled; at = name.find('(', at + 1)) {
    const std::string_view bare = name.substr(prefix.size(), at - prefix.size());
    const std::string_view whole = name.substr(at + 1, mangled - at - 1);
    // Without the namespace, when that has no name.
    const std::string_view called = whole.substr(0, whole.find('('));
    if (whole.starts_with(bare) || bare.ends_with("::" + std::string(called)))
      return std::string(whole);
  }
  return std::string(name);
}

std::string place_of(const std::source_location& where) {
  return line_of(where) + " in " + function_of(where);
}

/// The tasks that `future` stands for: itself, or those that it is made of.
void collect_tasks(const future_base& future, std::vector<const task_base*>& found) {
  if (future.done()) return;
  if (const task_base* const task = future.as_task()) {
    found.push_back(task);
    return;
  }
  future.each_part([&found](const future_base& part) { collect_tasks(part, found); });
}

std::vector<const task_base*> awaited_by(const task_base& waiting) {
  std::vector<const task_base*> found;
  if (&waiting.here() != loop::current()) return found;
  if (const suspension* const wait = waiting.waiting_for())
    wait->each_awaited([&found](const future_base& each) { collect_tasks(each, found); });
  return found;
}

class tree {
 public:
  std::string text;

  void add(const task_base& task, std::size_t depth) {
    const std::string indent(depth * 4, ' ');
    text += indent + task.name() + "  (" + line_of(task.created_at()) + ")";
    if (&task.here() != loop::current()) {
      text += "  on loop " + std::to_string(task.here().index()) + ", which alone knows where\n";
      shown_.insert(&task);
      return;
    }
    if (!path_.insert(&task).second) {
      text += "  which closes a circle of waits\n";
      return;
    }
    if (!shown_.insert(&task).second) {
      text += "  shown above\n";
    } else {
      text += '\n';
      add_frames(task, indent);
      const std::vector<const task_base*> awaited = awaited_by(task);
      text += indent + "  " + state_of(task) + '\n';
      for (const task_base* each : awaited) add(*each, depth + 1);
    }
    path_.erase(&task);
  }
  bool shown(const task_base& task) const { return shown_.contains(&task); }

 private:
  void add_frames(const task_base& task, const std::string& indent) {
    constexpr int most = 64;
    int count = 0;
    if (task_base::current() == &task)
      return;  // it is nowhere while it runs: its last stop says nothing
    std::coroutine_handle<> frame = task.innermost();
    // A frame knows where it is awaited, which is where the one around it stands.
    const suspension* const wait = task.waiting_for();
    std::source_location stands = wait != nullptr ? wait->where() : std::source_location();
    for (; frame && frame != std::noop_coroutine(); ++count) {
      if (count == most) {
        text += indent + "  and so on\n";
        return;
      }
      const internal::promise_base* const promise = internal::promise_at(frame);
      if (stands.line() == 0 && promise != nullptr &&
          promise->continuation == std::noop_coroutine())
        stands = promise->where;  // the outermost is not awaited: that is where its function is
      if (stands.line() != 0) text += indent + "  at " + place_of(stands) + '\n';
      if (promise == nullptr) {
        text += indent + "  in a coroutine of another kind\n";
        return;
      }
      stands = promise->where;
      frame = promise->continuation;
    }
  }
  static std::string state_of(const task_base& task) {
    if (task.done()) return "done";
    if (const suspension* const wait = task.waiting_for())
      return "waits for " + std::string(wait->what());
    return task_base::current() == &task ? "running" : "ready";
  }

  std::set<const task_base*> shown_;
  std::set<const task_base*> path_;
};

}  // namespace

std::string format_call_graph() {
  const std::vector<any_task> all = all_tasks();
  std::set<const task_base*> awaited;
  for (const any_task& each : all) {
    for (const task_base* one : awaited_by(each.base())) awaited.insert(one);
  }
  tree drawn;
  for (const any_task& each : all) {
    if (!awaited.contains(&each.base())) drawn.add(each.base(), 0);
  }
  // What is left is in circles.
  for (const any_task& each : all) {
    if (!drawn.shown(each.base())) drawn.add(each.base(), 0);
  }
  return drawn.text;
}

std::string format_call_graph(const any_task& root) {
  tree drawn;
  drawn.add(root.base(), 0);
  return drawn.text;
}

void print_call_graph() { std::fputs(format_call_graph().c_str(), stderr); }
void print_call_graph(const any_task& root) { std::fputs(format_call_graph(root).c_str(), stderr); }

void internal::report_never_awaited(const std::source_location& made) noexcept {
  loop* const running = loop::current();
  if (running == nullptr || !running->debug()) return;
  running->report({"a coroutine was made and never awaited: " + function_of(made), nullptr, made});
}

}  // namespace troupe
