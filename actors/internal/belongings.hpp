#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/message_queue.hpp>
#include <troupe/actors/stash.hpp>
#include <troupe/actors/timers.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>
#include <troupe/runtime/work.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

namespace troupe::internal {

class keyed_timers;

/// A timer that an actor has started, and the place in its mailbox where the timer's message is to be handled.
///
/// When it is due it goes into the mailbox itself, as a place that no handler knows. When a turn reaches it there, it puts its
/// message before all others, and itself behind that. So it knows whether the message is still to come (it stands before this),
/// and is reached a second time when the message has been handled: a periodic one is armed again only then.
///
/// Life: owned by the actor's table; once that has forgotten it, by the mailbox it lies in.
/// Threads: the actor's loop.
class keyed_timer final : public timer, public envelope, public pooled {
 public:
  keyed_timer(keyed_timers& table, const timer_key& key, duration time, envelope& message,
              const timed_message& how);
  ~keyed_timer();

  timer_key key() const noexcept { return timer_key(name_, number_); }
  const message_info& message_type() const noexcept { return *type_; }
  void begin();
  /// Its message does not come any more. Gives this up: to the mailbox, if it lies there.
  void forget() noexcept;
  /// Whether a message of it is still to be handled.
  bool to_come() const noexcept;
  /// A turn has reached it.
  void reach() noexcept;
  /// It was thrown out of the mailbox, by a full one or by the end of the actor.
  void thrown_out() noexcept;

  /// Whether `item` is the message of a timer, in the mailbox.
  static bool is_message(const envelope& item) noexcept { return item.run == &never_run; }
  static bool is_place(const envelope& item) noexcept { return item.info->free == &timer_freed; }

 private:
  enum class where : unsigned char { armed, queued, behind_message };

  static void on_due(timer& due) noexcept;
  static void never_run(work&) noexcept {}  ///< its address marks the message of a timer
  void arm();
  void put_message();
  /// Where its message hangs in the mailbox, or null: it has been handled.
  work** find_message() const noexcept;
  void handled() noexcept;

  keyed_timers* table_;  ///< null when it is forgotten
  cell& owner_;
  envelope* message_;  ///< owned: the one to be sent, or copied
  envelope* (*copy_)(const envelope& of);
  const message_info* type_;        ///< of the message
  const envelope* sent_ = nullptr;  ///< before this in the mailbox unless it has been handled
  duration time_;
  time_point due_{};
  where where_ = where::armed;
  std::uint64_t number_;
  std::string name_;
};

/// The timers of an actor that are to come.
class keyed_timers {
 public:
  explicit keyed_timers(cell& owner) noexcept : owner_(owner) {}
  ~keyed_timers() { cancel_all(); }
  keyed_timers(const keyed_timers&) = delete;
  keyed_timers& operator=(const keyed_timers&) = delete;

  cell& owner() const noexcept { return owner_; }
  void start(const timer_key& key, duration time, envelope& message, const timed_message& how);
  bool cancel(const timer_key& key) noexcept;
  void cancel_all() noexcept;
  bool active(const timer_key& key) const noexcept;
  bool empty() const noexcept { return timers_.empty(); }
  /// One that has done its work.
  void remove(keyed_timer& ended) noexcept;

 private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(const timer_key& key) const noexcept {
      return std::hash<std::string_view>()(key.name) ^ key.number * 0x9e3779b97f4a7c15U;
    }
    std::size_t operator()(const keyed_timer* timer) const noexcept {
      return operator()(timer->key());
    }
  };
  struct same {
    using is_transparent = void;
    static timer_key key(const keyed_timer* timer) noexcept { return timer->key(); }
    static timer_key key(const timer_key& given) noexcept { return given; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept {
      return key(a) == key(b);
    }
  };

  cell& owner_;
  std::unordered_set<keyed_timer*, hash, same, pool_allocator<keyed_timer*>> timers_;
};

/// The messages that an actor has put aside, oldest first.
class stash_list {
 public:
  std::size_t size() const noexcept { return size_; }
  bool full() const noexcept { return size_ >= capacity; }
  void push(envelope& item) noexcept {
    items_.push(item);
    ++size_;
  }
  envelope* pop() noexcept {
    envelope* const first = items_.pop();
    if (first != nullptr) --size_;
    return first;
  }
  /// Ends the requests that nobody waits for any more.
  void drop_withdrawn() noexcept;

  std::size_t capacity = default_stash_capacity;

 private:
  message_queue items_;
  std::size_t size_ = 0;
};

/// Sees to it that an actor hears when it has had no message for some time.
///
/// While it is set, the cell's turns go through it, which note the time of the last message; when the timer fires, it is armed
/// again for the rest of the time, or lies down in the mailbox as a place that no handler knows. The time begins with the end of the
/// last handler: where a coroutine was in hand, that is the turn after it, and until then the timer finds the actor busy.
/// Threads: the actor's loop.
class idle_watch final : public timer, public envelope {
 public:
  explicit idle_watch(cell& owner) noexcept;
  /// Errors: std::invalid_argument for nothing or less.
  void set(duration limit);
  void off() noexcept;
  bool is_set() const noexcept { return limit_ != infinite; }
  /// A handler has ended that others ran beside.
  void beside_ended() noexcept;

  static void freed(envelope& place) noexcept;
  static void reached(envelope& place) noexcept;

 private:
  static void on_due(timer& due) noexcept;
  static void run_turn(work& item) noexcept;
  void arm(time_point from);
  /// Whether a message waits that is not one of the actor's own timers.
  bool has_message() noexcept;

  cell& owner_;
  work::function turn_;  ///< the cell's own
  duration limit_ = infinite;
  time_point last_{};      ///< when it last had a message in hand
  bool was_busy_ = false;  ///< at the end of its last turn
  bool active_ = false;    ///< in this turn, or in its last
  bool queued_ = false;    ///< this lies in the mailbox
};

/// What an actor keeps for itself: timers by key, messages put aside, its idle time-out. Made when it first uses one of them.
class belongings : public pooled {
 public:
  explicit belongings(cell& owner) noexcept;

  /// The object ends, so nothing of this comes to it: timers end, and what was put aside is refused; if another object is to take its
  /// place, it is put before all that waits for that one.
  void drop() noexcept;

  cell& owner;
  keyed_timers timers;
  stash_list stash;
  idle_watch idle;
};

}  // namespace troupe::internal
