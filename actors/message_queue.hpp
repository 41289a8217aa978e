#pragma once

#include <troupe/actors/envelope.hpp>

#include <cstddef>
#include <utility>

namespace troupe::internal {

/// Messages in the order in which they are to be handled. Plain pointers: only the actor's loop touches it.
class message_queue {
 public:
  bool empty() const noexcept { return head_ == nullptr; }
  envelope* front() const noexcept { return static_cast<envelope*>(head_); }
  void push(envelope& item) noexcept {
    item.next = nullptr;
    *tail_ = &item;
    tail_ = &item.next;
  }
  void push_front(envelope& item) noexcept {
    item.next = head_;
    if (head_ == nullptr) tail_ = &item.next;
    head_ = &item;
  }
  envelope* pop() noexcept {
    work* const first = head_;
    if (first == nullptr) return nullptr;
    head_ = first->next;
    if (head_ == nullptr) tail_ = &head_;
    return static_cast<envelope*>(first);
  }
  /// Where the first hangs for which `matches` holds; null when there is none.
  template <class Predicate>
  work** find(Predicate matches) noexcept {
    for (work** link = &head_; *link != nullptr; link = &(*link)->next) {
      if (matches(static_cast<const envelope&>(**link))) return link;
    }
    return nullptr;
  }
  /// Puts what `older` holds before the rest.
  void prepend(message_queue& older) noexcept {
    if (older.head_ == nullptr) return;
    *older.tail_ = head_;
    if (head_ == nullptr) tail_ = older.tail_;
    head_ = std::exchange(older.head_, nullptr);
    older.tail_ = &older.head_;
  }
  /// Takes out the first for which `matches` holds; null when there is none.
  template <class Predicate>
  envelope* remove_first(Predicate matches) noexcept {
    work** const link = find(matches);
    return link != nullptr ? &take(link) : nullptr;
  }
  /// Where the first is linked. For who looks through it the place behind a message is `&item.next`; there is null at the end.
  work** first_link() noexcept { return &head_; }
  /// Takes out the message that is linked there.
  envelope& take(work** link) noexcept {
    work* const taken = *link;
    *link = taken->next;
    if (*link == nullptr) tail_ = link;
    return static_cast<envelope&>(*taken);
  }
  template <class Function>
  void for_each(Function function) {
    for (work* item = head_; item != nullptr; item = item->next)
      function(static_cast<envelope&>(*item));
  }
  /// Marks the newest message; `is_mark` recognises it when it comes out.
  work** mark() const noexcept { return tail_; }
  static bool is_mark(envelope& item, work** mark) noexcept { return &item.next == mark; }
  /// How many there are, counted up to `limit`.
  std::size_t length(std::size_t limit) const noexcept {
    std::size_t count = 0;
    for (const work* item = head_; item != nullptr && count != limit; item = item->next) ++count;
    return count;
  }

 private:
  work* head_ = nullptr;
  work** tail_ = &head_;
};

}  // namespace troupe::internal
