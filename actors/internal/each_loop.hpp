#pragma once

#include <troupe/runtime/future.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/runtime.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace troupe::internal {

/// Calls `function()` on this loop now and on the others of its runtime soon, but for those that are closed. The future is done when
/// all have called it. For .cpp files.
template <class Function>
future<void> on_each_loop(Function function) {
  /// The last to let go of it tells.
  struct all_called {
    ~all_called() { static_cast<void>(told.try_set_value()); }
    promise<void> told;
  };
  const auto all = std::make_shared<all_called>();
  future<void> result = all->told.get_future();
  loop& here = *loop::current();
  function();
  runtime* const owner = here.owner();
  for (std::size_t index = 0; owner != nullptr && index != owner->size(); ++index) {
    loop& each = owner->loop_at(index);
    if (&each != &here) static_cast<void>(each.post_call([all, function] { function(); }));
  }
  return result;
}

}  // namespace troupe::internal
