#include <troupe/runtime/gather.hpp>

namespace troupe::internal {

void gather_watch::member::on_done(observer& self) noexcept {
  auto& one = static_cast<member&>(self);
  one.all->told(*one.child);
}

bool gather_watch::watch() noexcept {
  future_base* failed = nullptr;
  for (std::size_t index = 0; index < count_; ++index) {
    member& one = members_[index];
    if (one.child->done()) {
      if (failed == nullptr && ends(*one.child)) failed = one.child;
      continue;
    }
    one.all = this;
    one.child->add_observer(one);
    ++left_;
  }
  if (failed != nullptr) {
    over_ = true;
    for (std::size_t index = 0; index < count_; ++index) {
      if (members_[index].child->done()) members_[index].child->mark_retrieved();
    }
    fail(*failed);
  } else if (left_ == 0) {
    over_ = true;
    finish(nullptr);
  }
  return left_ != 0;
}

void gather_watch::told(future_base& child) noexcept {
  --left_;
  if (over_) {
    child.mark_retrieved();
  } else if (ends(child)) {
    over_ = true;
    fail(child);
  } else if (left_ == 0) {
    over_ = true;
    finish(&child);
  }
  if (left_ == 0) children_ended();
}

bool gather_watch::cancel_children(std::string_view reason) noexcept {
  bool accepted = false;
  // A child that ends at once may end this, and with it whoever held it: `count_` and `members_` stay, for the children's
  // count does.
  const bool before = std::exchange(cancel_requested_, true);
  for (std::size_t index = 0; index < count_; ++index) {
    if (members_[index].child->cancel(reason)) accepted = true;
  }
  cancel_requested_ = accepted || before;
  return accepted;
}

void gather_watch::stop_watching() noexcept {
  for (std::size_t index = 0; index < count_; ++index) {
    member& one = members_[index];
    if (one.all != nullptr && !one.child->done()) one.child->remove_observer(one);
  }
}

void gather_watch::each_child(const callable<void(const future_base&)>& visit) const {
  for (std::size_t index = 0; index < count_; ++index) visit(*members_[index].child);
}

}  // namespace troupe::internal
