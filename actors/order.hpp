#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/work.hpp>

#include <utility>

namespace troupe::internal {

/// What one loop has another do with an actor of its own: outside of mailboxes, so that none delays it. Holds a count of the actor.
template <class Function>
struct cell_order final : work, pooled {
  cell_order(cell& given, Function&& what) noexcept
      : work(&cell_order::arrive), to(given), function(std::move(what)) {
    to.retain();
  }
  ~cell_order() { to.release(); }
  static void arrive(work& item) noexcept {
    const owned<cell_order> self(static_cast<cell_order*>(&item));
    self->function(self->to);
  }
  cell& to;
  Function function;
};

/// Has the loop of `to`, which is another, call `function(to)`. False when that loop is closed: nothing lives there, and nothing is
/// called.
template <class Function>
[[gnu::noinline]] bool send_order(cell& to, Function function) noexcept {
  owned<cell_order<Function>> sent(new cell_order<Function>(to, std::move(function)));
  if (!to.home().post(*sent)) return false;
  static_cast<void>(sent.release());
  return true;
}

/// The same, at once when that loop is this one.
template <class Function>
bool carry_out(cell& to, Function function) noexcept {
  if (&to.home() != loop::current()) return send_order(to, std::move(function));
  function(to);
  return true;
}

}  // namespace troupe::internal
