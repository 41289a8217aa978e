#pragma once

#include <utility>

namespace troupe {

class loop;

namespace internal {

class chain_base;

/// A place in a chain; whoever stands in one has it as a base or member. Leaves the chain when it goes.
class chain_link {
 public:
  chain_link() noexcept {}
  /// Pre: `other` is in no chain.
  chain_link(chain_link&&) noexcept {}
  chain_link& operator=(const chain_link&) = delete;
  ~chain_link() { leave(); }

  bool linked() const noexcept { return in_ != nullptr; }
  inline void leave() noexcept;

 private:
  friend class chain_base;
  chain_base* in_ = nullptr;
  chain_link*
      previous_;  ///< set while in a chain, as is the next; an awaiter that need not wait is not to pay for them
  chain_link* next_;
};

/// Those who stand in line, whatever they are, in the order they came. One that goes lets go of them: either side may go
/// first, as happens when a loop closes and destroys the frames of its tasks in any order.
class chain_base {
 public:
  chain_base() = default;
  chain_base(const chain_base&) = delete;
  chain_base& operator=(const chain_base&) = delete;
  ~chain_base() {
    while (first_ != nullptr) remove(*first_);
  }

  bool empty() const noexcept { return first_ == nullptr; }
  /// Pre: in no chain.
  void push(chain_link& last) noexcept {
    last.in_ = this;
    last.previous_ = last_;
    last.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &last;
    last_ = &last;
  }
  void remove(chain_link& removed) noexcept {
    (removed.previous_ != nullptr ? removed.previous_->next_ : first_) = removed.next_;
    (removed.next_ != nullptr ? removed.next_->previous_ : last_) = removed.previous_;
    removed.in_ = nullptr;
  }

 protected:
  chain_link* first_ = nullptr;

 private:
  chain_link* last_ = nullptr;
};

void chain_link::leave() noexcept {
  if (in_ != nullptr) [[unlikely]]
    in_->remove(*this);
}

/// A chain of `Waiter`s, which derive from chain_link.
template <class Waiter>
class chain : public chain_base {
 public:
  /// Takes out who came first; null when there is nobody.
  Waiter* pop() noexcept {
    chain_link* const popped = first_;
    if (popped == nullptr) return nullptr;
    remove(*popped);
    return static_cast<Waiter*>(popped);
  }
};

/// The loop that a primitive serves: that of the first task that had to wait. Another one may take it over once that loop has
/// closed. Uses that need not wait are free of charge, and not checked.
class served_loop {
 public:
  /// Called before a task waits. Errors: `invalid_state` on another loop; `what` names the primitive.
  void expect_same(const char* what);
  /// Called before waiting tasks are woken. Errors: `invalid_state` on the thread of another loop, or of none while the loop runs.
  void expect_here(const char* what) const;

 private:
  loop* served_ = nullptr;
};

/// Errors: `invalid_state`, always: `what` went while a task waited for it.
[[noreturn]] void throw_gone(const char* what);

}  // namespace internal
}  // namespace troupe
