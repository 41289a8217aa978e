#pragma once

#include <troupe/runtime/loop.hpp>

namespace troupe::io::internal {

/// A service of a loop that knows all its `Member`s of one kind, newest first. They have pointers `previous_` and `next_` for that, and this
/// as a friend; each leaves before it goes.
template <class Member>
class members_of_loop : public loop_service {
 public:
  void add(Member& made) noexcept {
    made.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &made;
    first_ = &made;
  }
  void remove(Member& left) noexcept {
    (left.previous_ != nullptr ? left.previous_->next_ : first_) = left.next_;
    if (left.next_ != nullptr) left.next_->previous_ = left.previous_;
    left.previous_ = left.next_ = nullptr;
  }

 protected:
  Member* first_ = nullptr;
};

}  // namespace troupe::io::internal
