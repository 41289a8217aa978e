#pragma once

#include <troupe/io/internal/output_lease.hpp>
#include <troupe/io/internal/write_queue.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/timer.hpp>

#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace troupe::io::internal {

class streams_of_loop;
template <class Member>
class members_of_loop;

/// Errors: std::invalid_argument for options that contradict each other.
void check_options(const stream_options& options);

/// What is behind a `stream`.
///
/// Life: made by the stream, which drops it; from then on its loop has it until it has closed.
/// Invariants: a reader that waits has been tried, and the transport has said that nothing can be had now; what is unsent waits for
/// the transport likewise. Once it is closed nobody waits here.
class stream_core final : private transport::listener,
                          private timer,
                          public troupe::internal::pooled {
 public:
  stream_core(std::unique_ptr<transport> wire, const stream_options& options);
  ~stream_core();

  transport& wire() const noexcept { return *wire_; }

  // --- reading: for the awaiters ---
  /// What has been read and not taken.
  bytes in;
  std::size_t limit() const noexcept { return options_.limit; }
  /// Reads more behind `in`; with room for so many, or about as many as there may be when that is none.
  enum class more { some, later, ended, failed };
  more read_more(std::size_t room = 0);
  /// Reads past `in`, which is empty. No bytes where the result is not `some`.
  more read_past(std::span<std::byte> into, std::size_t& got);
  std::size_t good_size() const noexcept { return chunk_; }
  void adapt(std::size_t got, std::size_t wanted) noexcept;
  std::exception_ptr loss() const noexcept;
  bool ended() const noexcept { return ended_; }

  void begin_read(read_wait& reader) noexcept;
  /// Whether the transport was not asked because this has had its turn: then whoever reads is to look again in the next one. Asked once.
  bool had_its_turn() noexcept { return std::exchange(had_its_turn_, false); }
  void end_read(read_wait& reader) noexcept;
  bool read_by_another(const read_wait& reader) const noexcept {
    return reader_ != nullptr && reader_ != &reader;
  }

  // --- writing ---
  void write(bytes chunk);
  void write(std::span<const std::byte> left);
  void write(std::span<const std::string_view> parts);
  void write_eof();
  void set_write_limits(std::size_t high, std::size_t low);
  std::size_t unsent() const noexcept { return out_ != nullptr ? out_->size() : 0; }
  bool paused() const noexcept { return paused_; }

  // --- the end ---
  void close() noexcept;
  void abort() noexcept;
  bool closing() const noexcept { return closing_; }
  bool closed() const noexcept { return closed_; }
  /// Goes; what it was made of stays.
  stream::pieces take_apart();
  const stream_options& options() const noexcept { return options_; }
  void drop() noexcept;
  /// Its loop closes.
  void home_closes() noexcept;

  /// What waits end with whose stream goes, and drains of one that was closed.
  static std::exception_ptr gone_error() noexcept;
  static std::exception_ptr closed_error() noexcept;

  /// From now on `follower` is told whose this connection is, and of its end. Pre: it has not closed.
  void follow(end_notice follower) noexcept {
    notice_ = std::move(follower);
    notice_.move(this);
  }

  // --- past the stream: see output_lease.hpp ---
  /// Errors: what it was lost by; connection_reset after `close`; `invalid_state` after `write_eof`.
  void expect_open_for_output() const;
  void lease(output_lease* given) noexcept { lease_ = given; }
  output_lease* lease() const noexcept { return lease_; }
  void end_lease() noexcept;

  void wait_for_drain(drain_wait& wait) { draining_.push(wait); }
  void wait_for_end(close_wait& wait) { waiting_for_end_.push(wait); }

 private:
  friend class streams_of_loop;
  friend class members_of_loop<stream_core>;
  void on_ready() noexcept override;
  static void on_late(timer& due) noexcept;

  /// Errors: as of a write.
  void expect_writable(std::size_t size) const {
    if (write_ended_ || out_ != nullptr) [[unlikely]]
      refuse_unwritable(size);
  }
  void refuse_unwritable(std::size_t size) const;
  /// Sends at once what can be sent. Returns how many bytes; all, when they are lost.
  std::size_t send_now(std::span<const std::span<const std::byte>> parts) noexcept;
  write_queue& out();
  bool leased() const noexcept { return lease_ != nullptr && lease_->active(); }
  void pause_if_full() noexcept;
  void flush() noexcept;
  void all_sent() noexcept;
  void lose(std::error_code error) noexcept;
  void end(bool reset) noexcept;
  void wake_reader() noexcept;
  template <class Wait>
  void wake_all(troupe::internal::chain<Wait>& chain, const std::exception_ptr& error) noexcept;

  // A reader that never has to wait keeps all others waiting: so many reads, and the others get their turn.
  static constexpr std::uint8_t most_reads = 16;

  // What each read and write needs comes first: with many streams each line of the cache counts.
  std::unique_ptr<transport> wire_;
  read_wait* reader_ = nullptr;
  std::unique_ptr<write_queue> out_;  ///< only while something is unsent
  bool ended_ = false;                ///< the peer writes no more, or this side has closed
  bool paused_ = false;               ///< too much is unsent
  bool write_ended_ = false;          ///< by `write_eof`
  bool eof_sent_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool dropped_ = false;  ///< its stream has gone
  bool had_its_turn_ = false;
  std::uint8_t reads_ = 0;  ///< since anybody waited here last
  std::uint32_t chunk_ = 4096;
  std::error_code lost_;
  stream_options options_;
  loop* home_;  ///< null when it has closed
  streams_of_loop* kept_by_ = nullptr;
  troupe::internal::chain<drain_wait> draining_;
  troupe::internal::chain<close_wait> waiting_for_end_;
  end_notice notice_;
  output_lease* lease_ = nullptr;  ///< while something else writes into the descriptor, or waits to
  stream_core* previous_ = nullptr;  ///< neighbours among the streams of the loop
  stream_core* next_ = nullptr;
};

/// The way to what is behind a stream, for what is built on it here.
struct stream_access {
  static stream_core& core(const stream& of) noexcept { return of.core(); }
};

}  // namespace troupe::io::internal
