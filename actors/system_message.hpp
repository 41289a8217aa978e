#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/work.hpp>

namespace troupe::internal {

/// Something that one loop tells an actor on another: in the system lane, so no mailbox delays it.
struct system_message final : work, pooled {
  using function_type = void (*)(cell& to, cell* about) noexcept;
  system_message(cell& given_to, cell* given_about, function_type given)
      : work(&system_message::arrive), to(given_to), about(given_about), function(given) {}

  static void arrive(work& item) noexcept {
    const owned<system_message> self(static_cast<system_message*>(&item));
    self->function(self->to, self->about);
    self->to.release();
  }
  /// Takes over one count of `to`.
  static void send(cell& to, cell* about, function_type function) noexcept {
    owned<system_message> sent(new system_message(to, about, function));
    if (to.home().post(*sent)) {
      static_cast<void>(sent.release());
    } else {
      to.release();  // its loop is closed, and nothing lives there
    }
  }

  cell& to;
  cell* about;
  function_type function;
};

}  // namespace troupe::internal
