#pragma once

namespace troupe {

/// One thing a loop has to run: a task's next step, an actor's turn, a callback. Intrusive, so that making something ready
/// allocates nothing.
///
/// Invariant: a work is in at most one queue at a time.
struct work {
  using function = void (*)(work&) noexcept;

  explicit work(function run_function) noexcept : run(run_function) {}
  work(const work&) = delete;
  work& operator=(const work&) = delete;

  work* next = nullptr;
  function run;

 protected:
  ~work() = default;
};

/// A first-in first-out chain of works.
class work_queue {
 public:
  work_queue() = default;
  work_queue(const work_queue&) = delete;
  work_queue& operator=(const work_queue&) = delete;

  bool empty() const noexcept { return head_ == nullptr; }

  void push(work& item) noexcept {
    item.next = nullptr;
    *tail_ = &item;
    tail_ = &item.next;
  }

  /// Takes the whole chain; the queue is empty afterwards.
  work* take_all() noexcept {
    work* const all = head_;
    head_ = nullptr;
    tail_ = &head_;
    return all;
  }

 private:
  work* head_ = nullptr;
  work** tail_ = &head_;
};

}  // namespace troupe
