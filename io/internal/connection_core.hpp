#pragma once

#include <troupe/actors/reply_to.hpp>
#include <troupe/io/connection.hpp>
#include <troupe/io/internal/write_queue.hpp>
#include <troupe/runtime/calls.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/timer.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <system_error>

namespace troupe::io::internal {

/// What is behind each actor that is a connection: credit for what is read, a window for what is written, and the ways in which it ends.
/// What comes of it is told to `Derived`, which knows whom to tell:
///
///     void tell_data(bytes&& chunk);
///     bool tell_end();                                          // the peer writes no more; false: `end_is_told` is called later
///     void tell_drained(std::size_t size, std::size_t writes);  // all has left: so many bytes and writes since the last time
///     void tell_closed(std::error_code reason) noexcept;        // the last word: the actor is to be stopped
///     void ask_for_turn();                                      // `add_credit(0)` is to be called in a turn of the actor's
///
/// `Wire` points to the transport. Both are known when compiling, because an echo over a socket would cost a sixth more instructions
/// otherwise. The functions are in connection_core_functions.hpp.
///
/// Life: with its actor, which stops at `tell_closed`; that comes once, whatever happens.
/// Invariants: nothing is read without credit, but for one byte that is held back where only a read can tell whether the end has come.
/// Threads: its loop's.
template <class Derived, class Wire>
class connection_core : private transport::listener, private timer {
 public:
  // --- reading ---
  void add_credit(std::size_t bytes);
  /// For who counts in something else than bytes.
  void set_credit(std::size_t bytes) noexcept { credit_ = bytes; }
  /// Reads what is there and credit allows, up to a few chunks; the rest in a turn of its own.
  void read_some();

  // --- writing ---
  void write(bytes&& chunk, reply_to<void>&& accepted);
  void end_writing();

  // --- the end ---
  void close_when_flushed();
  /// Closes and says so. Once; later calls do nothing.
  void end(std::error_code reason) noexcept;

 protected:
  /// Over the transport that `wire` makes; for a fresh one, which tells by itself of what is there.
  /// Errors: std::system_error when it cannot be watched.
  template <class... Arguments>
  explicit connection_core(const connection_options& options, Arguments&&... wire);
  ~connection_core();
  /// Over a transport that may have been another's: `ahead` has been read of it, and of what lies there no notice may come any more.
  void go_on_after(bytes&& ahead);

  bool open() const noexcept { return open_; }
  void end_is_told();

 private:
  Derived& derived() noexcept { return static_cast<Derived&>(*this); }

  struct waiting_write {
    bytes chunk;
    reply_to<void> accepted;
  };
  /// What the system has not taken yet. Only while there is some.
  struct backlog {
    write_queue queue;                  ///< accepted, within the window
    std::deque<waiting_write> waiting;  ///< asked writes that do not fit yet
    std::size_t waiting_bytes = 0;      ///< bytes in it
    std::size_t flushed = 0;            ///< bytes sent since the last `drained`
    std::size_t writes = 0;             ///< accepted since then
  };

  /// Of a transport that was another's before.
  struct handover {
    bytes ahead;
    call_handle first_look;
  };

  void on_ready() noexcept override;
  void take_ahead(bytes& into) noexcept;
  static void on_close_late(timer& due) noexcept;

  bool read_once();
  void adapt_chunk(std::size_t got, std::size_t wanted) noexcept;
  void look_for_end();
  void peer_has_ended();
  void fail(std::error_code reason);

  bool fits(const bytes& chunk) const noexcept;
  bool may_wait(const bytes& chunk) const noexcept;
  std::error_code send_directly(bytes& chunk) noexcept;
  void queue(bytes&& chunk, reply_to<void>&& accepted);
  void flush();
  bool send_queue();
  void drop_withdrawn() noexcept;
  void admit_waiting();
  void after_flush();
  void end_well() noexcept;
  void give_it_time() noexcept;

  loop& home_;
  Wire wire_;
  connection_options options_;
  std::size_t credit_ = 0;
  std::size_t chunk_size_;
  std::unique_ptr<backlog> backlog_;
  std::unique_ptr<handover> handover_;  ///< until it has been looked at and taken
  std::optional<std::byte> held_;       ///< read to see whether the end is there, which it was not
  bool open_ = true;
  bool readable_ =
      false;  ///< there may be something to read; a new notice comes only after it was read
  bool full_ = false;            ///< the system takes no more now; a notice comes when it does
  bool turn_asked_for_ = false;  ///< a turn of its own is under way to it
  bool failed_ = false;          ///< an error has been told: an end of data means nothing any more
  bool peer_ended_ = false;
  bool end_told_ = false;
  bool write_ended_ = false;
  bool close_wanted_ = false;
  bool shut_ = false;
  bool leaving_ = false;  ///< all is said but the transport's farewell
};

}  // namespace troupe::io::internal
