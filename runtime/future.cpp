#include <troupe/runtime/future.hpp>

namespace troupe {

void future_base::add_observer(internal::observer& added) noexcept {
  added.next = nullptr;
  added.previous = last_;
  (last_ != nullptr ? last_->next : first_) = &added;
  last_ = &added;
}

void future_base::remove_observer(internal::observer& removed) noexcept {
  (removed.previous != nullptr ? removed.previous->next : first_) = removed.next;
  (removed.next != nullptr ? removed.next->previous : last_) = removed.previous;
}

void future_base::complete(status result) noexcept {
  status_ = result;
  while (internal::observer* const told = first_) {
    remove_observer(*told);
    told->notify(*told);
  }
}

}  // namespace troupe
