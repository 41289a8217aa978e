#include <troupe/runtime/waiters.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>

#include <string>

namespace troupe::internal {

void served_loop::expect_same(const char* what) {
  loop* const here = loop::current();
  if (served_ == here) return;
  if (served_ != nullptr && !served_->closed())
    throw invalid_state(
        std::string(what) +
        " serves the tasks of one loop, and those of another one wait for it already: "
        "between loops use a queue, or a promise and its future");
  served_ = here;
}

void served_loop::expect_here(const char* what) const {
  const loop* const here = loop::current();
  if (served_ == here || served_ == nullptr) return;
  // Between two runs of a loop its thread may do what a task may.
  if (here == nullptr && !served_->running()) return;
  throw invalid_state(std::string(what) +
                      " was used off the loop whose tasks wait for it: call it there, by "
                      "call_soon_threadsafe, or use a promise and its future");
}

void throw_gone(const char* what) {
  throw invalid_state(
      std::string(what) +
      " was destroyed while a task waited for it: let it live as long as its users");
}

}  // namespace troupe::internal
