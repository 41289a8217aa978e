#pragma once

#include <troupe/actors/envelope.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>

#include <atomic>
#include <cstdint>
#include <exception>

namespace troupe {

class future_base;

namespace internal {

/// One ask, whatever its types, or a send that waits for room: time limit, withdrawal, and what the search for deadlocks has to know
/// of it.
///
/// Threads: the asker's loop, except where another is named.
class open_ask : public reply_slot, public lazy_timer {
 public:
  /// Threads: any.
  bool withdrawn() const noexcept final { return withdrawn_.load(std::memory_order_relaxed); }
  const open_ask* as_ask() const noexcept final { return this; }
  /// The request is not wanted any more, nor is one that it was delegated as.
  void withdraw() noexcept;

  /// The one that stands for it now: itself, or what it was delegated as last. Not beyond the ask's end.
  const open_ask& standing() const noexcept;
  open_ask& standing() noexcept {
    return const_cast<open_ask&>(static_cast<const open_ask&>(*this).standing());
  }
  /// Threads: that of whoever delegates. Pre: not delegated before.
  void delegate_as(open_ask& made) noexcept;
  void delegate_ended() noexcept { delegate_.store(nullptr); }

  cell& target() const noexcept { return target_; }
  duration limit() const noexcept { return limit_; }
  /// The request, as it lay in the mailbox; its message may have been moved from.
  virtual envelope& request() noexcept = 0;
  const envelope& request() const noexcept { return const_cast<open_ask*>(this)->request(); }
  virtual const message_info& message_type() const noexcept = 0;
  /// Whether it is a send, which has ended when its message lies in the mailbox.
  virtual bool only_for_room() const noexcept { return false; }
  virtual future_base& answer_to_come() noexcept = 0;
  /// Ends the ask for the asker, who still waits, and withdraws the request.
  virtual void end_with(std::exception_ptr error) noexcept = 0;

  /// The number of its wait, of no other ask: the later its asker was seen to wait, the higher. Below `first_number` when that has
  /// not been seen. Threads: any.
  std::uint64_t number() const noexcept { return number_.load(std::memory_order_relaxed); }
  void set_number(std::uint64_t number) noexcept;
  static constexpr std::uint64_t first_number = 2;
  /// Fails with the error of the request that it was delegated as.
  void fail_delegated(std::exception_ptr error, const open_ask& as) noexcept {
    note_wait_of(&as, error);
    fail(std::move(error));
  }
  /// How long ago it was settled; zero when it is not.
  duration waited() const noexcept;

 protected:
  open_ask(cell& target, duration limit) noexcept;
  ~open_ask();

  /// Puts how long it waited into an error of this ask's own.
  void note_wait(const std::exception_ptr& error) const noexcept { note_wait_of(this, error); }

 private:
  void note_wait_of(const void* identity, const std::exception_ptr& error) const noexcept;
  static constexpr std::uint64_t only_settled = 1;
  static void on_timer(timer& self) noexcept;

  cell& target_;
  duration limit_;
  std::atomic<open_ask*> delegate_{nullptr};
  std::atomic<bool> withdrawn_{false};
  std::atomic<std::uint64_t> number_{0};
  time_point since_;  ///< when it was settled, or met by a search before; set from then on
};

/// A reply slot for answers of type `R`, for whoever answers later than the handler returns.
template <class R>
class typed_reply_slot : public open_ask {
 public:
  /// Destroys the request and answers it. Once, on the loop of the asked actor.
  virtual void answer_with(outcome<R>& value) noexcept = 0;

 protected:
  using open_ask::open_ask;
  ~typed_reply_slot() = default;
};

/// What an ask fails with whose request was in hand when the actor stopped.
std::exception_ptr stopped_error(const open_ask& dropped);

/// What an ask fails with whose request an actor does not take any more.
std::exception_ptr dead_error(const cell& target, const envelope& refused);

/// What an ask or a send fails with for which there is no room, or no more.
std::exception_ptr full_error(const cell& target, const envelope& refused, std::size_t waiting,
                              bool lost);

/// Counts an answer that came when nobody waited for it any more.
void count_late_reply() noexcept;

/// Looks whether the handlers that wait for this ask wait for themselves. Returns whether it is known by now who waits.
bool search_deadlock(open_ask& closing) noexcept;

}  // namespace internal
}  // namespace troupe
