#include <troupe/runtime/gather.hpp>

namespace troupe::internal {

bool gather_watch::begin() noexcept {
  start();
  future_base* failed = nullptr;
  for (std::size_t number = 0; number < count() && failed == nullptr; ++number) {
    if (target(number).done() && ends(target(number))) failed = &target(number);
  }
  if (failed != nullptr) {
    over_ = true;
    for (std::size_t number = 0; number < count(); ++number) {
      if (target(number).done()) target(number).mark_retrieved();
    }
    fail(*failed);
  } else if (left() == 0) {
    over_ = true;
    finish(nullptr);
  }
  return left() != 0;
}

void gather_watch::told(std::size_t number) noexcept {
  future_base& child = target(number);
  if (over_) {
    child.mark_retrieved();
  } else if (ends(child)) {
    over_ = true;
    fail(child);
  } else if (left() == 0) {
    over_ = true;
    finish(&child);
  }
  if (left() == 0) children_ended();
}

bool gather_watch::cancel_children(std::string_view reason) noexcept {
  bool accepted = false;
  // A child that ends at once may end this, and with it whoever held it; the members stay, for the children's count does.
  const bool before = std::exchange(cancel_requested_, true);
  for (std::size_t number = 0; number < count(); ++number) {
    if (target(number).cancel(reason)) accepted = true;
  }
  cancel_requested_ = accepted || before;
  return accepted;
}

void gather_watch::each_child(const visitor<const future_base>& visit) const {
  for (std::size_t number = 0; number < count(); ++number) visit(target(number));
}

}  // namespace troupe::internal
