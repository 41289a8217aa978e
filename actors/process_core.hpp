#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>

#include <coroutine>
#include <cstddef>
#include <source_location>
#include <string_view>
#include <utility>

namespace troupe::internal {

class process_core;
class process_task;

/// The message types that a receive takes. Its address stands for them.
struct wanted_messages {
  const message_info* const* types;
  std::size_t count;
  bool all;  ///< every type of the mailbox

  bool contain(const message_info* type) const noexcept {
    std::size_t index = 0;
    while (types[index] != type) {
      if (++index == count) return false;
    }
    return true;
  }
};

/// One receive of a process. What it takes leaves the mailbox at the moment in which the process goes on with it: however the wait
/// ends, no message is lost.
class receive_wait : public suspension {
 public:
  receive_wait(process_core& core, const wanted_messages& wanted) noexcept
      : core_(&core), wanted_(&wanted) {}
  receive_wait(receive_wait&&) noexcept = default;
  ~receive_wait() {
    if (in_wait_) [[unlikely]]
      leave();
  }

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "a message"; }

 protected:
  /// What was found; null when the time was up before. Errors: `cancelled`.
  envelope* received() {
    if (found_ == nullptr) finish();
    return found_;
  }
  void leave() noexcept;

  process_core* core_;

 private:
  friend class process_core;
  const wanted_messages* wanted_;
  envelope* found_ = nullptr;
  bool in_wait_ = false;  ///< the core knows of it
};

/// One that ends after a time.
class timed_receive_wait : public receive_wait, private lazy_timer {
 public:
  timed_receive_wait(process_core& core, const wanted_messages& wanted, duration limit) noexcept
      : receive_wait(core, wanted), lazy_timer(&timed_receive_wait::on_due), limit_(limit) {}
  timed_receive_wait(timed_receive_wait&& other) noexcept
      : receive_wait(std::move(other)),
        lazy_timer(&timed_receive_wait::on_due),
        limit_(other.limit_) {}
  ~timed_receive_wait() {
    if (armed()) disarm();
  }

  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  bool cancel() noexcept override;

 protected:
  envelope* received() {
    if (armed()) disarm();
    return receive_wait::received();
  }

 private:
  static void on_due(timer& due) noexcept;
  void disarm() noexcept;
  duration limit_;
};

/// What every process has: its coroutine, what that waits for, and how far the mailbox has been looked through.
///
/// Invariants: messages stay in the cell's mailbox until they are received. The cell is in the ready chain while a receive waits and
/// there are messages it has not looked at. `looked_to_` is the place up to which the mailbox holds nothing that `looked_for_` wants:
/// a message is looked at once, not again at each arrival or by the next receive of the same types.
/// Threads: the cell's loop.
class process_core {
 public:
  process_core() noexcept : cell_(taken_cell()) {}
  process_core(const process_core&) = delete;
  process_core& operator=(const process_core&) = delete;

  internal::cell& cell() const noexcept { return cell_; }

  /// Begins the coroutine: runs it up to its first suspension.
  void begin(coro<> body);
  /// A turn of the cell.
  static void turn(internal::cell& owner, process_core& self) noexcept;
  /// Takes what `wanted` matches first out of the mailbox, or gives null.
  /// Errors: `invalid_state` outside the process.
  envelope* try_take(const wanted_messages& wanted);

  /// Some request that the process had in hand was dropped. While an exception flies it is kept until that is caught, or ends the
  /// process, of which the asker is then told; returns whether the matter is settled.
  bool drop(reply_slot& dropped) noexcept;

  /// The coroutine. Pre: it has not ended.
  task_base& body() const noexcept { return *task_; }
  /// Somebody else has taken `removed` out of the mailbox: the next look begins at its beginning.
  void forget(const envelope& removed) noexcept {
    if (looked_to_ == &removed.next) looked_for_ = nullptr;
  }

 private:
  friend class receive_wait;
  friend class timed_receive_wait;
  friend class process_task;

  /// Errors: `invalid_state` outside the process.
  void expect_process() const {
    if (task_base::current() != task_ || loop::current() != &cell_.home()) [[unlikely]]
      throw_foreign();
  }
  [[noreturn]] void throw_foreign() const;
  /// Whether the process may receive now; notices urgent messages.
  bool may_receive() noexcept { return !cell_.needs_attention() || look_up(); }
  bool look_up() noexcept;
  envelope* find(const wanted_messages& wanted) noexcept;
  /// What says that a message has been handled stands behind it: it goes with it, for nobody may come past it for long.
  void end_places(message_queue& messages, work** at) noexcept;
  envelope* find_slowly(const wanted_messages& wanted) noexcept;
  envelope* find_from(message_queue& messages, work** at, const wanted_messages& wanted,
                      bool remember) noexcept;
  bool is_empty() const noexcept { return cell_.messages().empty() && !urgent_; }
  /// Whether there is something that `wanted` may match and has not been looked at.
  bool has_news_for(const wanted_messages& wanted) noexcept {
    return !is_empty() && looks_new_to(wanted);
  }
  bool looks_new_to(const wanted_messages& wanted) noexcept;
  work** start_of(const wanted_messages& wanted) noexcept {
    message_queue& messages = cell_.messages();
    if (wanted.all) return messages.first_link();
    if (looked_for_ != &wanted) {
      looked_for_ = &wanted;
      looked_to_ = messages.first_link();
    }
    return looked_to_;
  }
  void ended(future_base::status how, std::exception_ptr error) noexcept;
  /// `error_of(ask)` says with what.
  template <class Error>
  void fail_orphans(Error error_of) noexcept;

  struct orphan;

  internal::cell& cell_;
  task_base* task_ = nullptr;
  receive_wait* waiting_ = nullptr;
  const wanted_messages* looked_for_ = nullptr;  ///< those of the latest selective receive
  work** looked_to_ = nullptr;
  std::size_t left_ = 0;  ///< how many messages may still be taken before others get their turn
  bool urgent_ =
      false;  ///< there may be urgent messages, which are always looked through from the first
  orphan* orphans_ = nullptr;
};

inline bool receive_wait::await_ready() {
  core_->expect_process();
  found_ = nullptr;
  if (!core_->may_receive()) return false;
  if (core_->is_empty()) return false;
  if (core_->left_ == 0) return false;
  found_ = core_->find(*wanted_);
  return found_ != nullptr;
}

}  // namespace troupe::internal
