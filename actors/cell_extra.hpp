#pragma once

#include <troupe/actors/message_queue.hpp>
#include <troupe/actors/supervision.hpp>
#include <troupe/actors/watch.hpp>
#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/calls.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

namespace troupe::internal {

class belongings;
class bounds;
class cell;
class keeper;
class process_core;
struct envelope;

/// How messages of a protocol are copied before a handler gets them.
struct message_copies {
  /// A told message; null for one that cannot be copied. Errors: what the copying throws.
  envelope* (*copy)(const envelope& of);
  /// Puts the message back into the request from which it was taken, and frees the copy. Pre: a move that does not throw.
  void (*restore)(envelope& request, envelope& copy) noexcept;
};

/// What only some actors have.
struct cell_extra : pooled {
  std::string name;
  task_list tasks;
  const message_info* in_hand = nullptr;  ///< what a coroutine handler works on
  task_base* at_work = nullptr;  ///< the coroutine for which other messages wait, while it goes on
  message_queue
      kept_waiting;  ///< of a class that interleaves: what has been passed over, until that has ended
  std::size_t beside = 0;  ///< how many handlers go on for which no message waits
  watchers watched_by;
  watchers start_watched_by;          ///< told when it is up
  monitor_watch* monitors = nullptr;  ///< those it has set
  std::exception_ptr crash;           ///< what it crashed with
  bounds* limits = nullptr;           ///< owned
  message_queue urgent;               ///< to be handled before what waits in the mailbox
  std::size_t reported_backlog = 0;   ///< how many messages waited when that was last reported
  duration drain_for{};
  timer_handle drain_limit;
  std::vector<cell*, pool_allocator<cell*>> links;  ///< each holds a count
  keeper* children = nullptr;                       ///< owned; of an actor that supervises
  restart when = restart::permanent;                ///< how it is supervised itself
  callable<void(cell&)> construct;                  ///< makes its object anew
  const message_copies* copies = nullptr;  ///< of a child whose message in hand is tried again
  envelope* copy_in_hand = nullptr;        ///< owned: of that message
  bool copy_of_ask = false;
  belongings* kept = nullptr;               ///< owned: its timers, stash and idle time-out
  process_core* process = nullptr;          ///< the coroutine of a process, until it has ended
  std::atomic<std::uint64_t> traced_as{0};  ///< its number in a trace
  std::uint32_t traced_in = 0;              ///< which trace that was
  cell_extra() = default;
  cell_extra(const cell_extra&) = delete;
  cell_extra& operator=(const cell_extra&) = delete;
  ~cell_extra();
};

}  // namespace troupe::internal
