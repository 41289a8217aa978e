#pragma once

#include <troupe/io/bytes.hpp>
#include <troupe/io/stream_errors.hpp>
#include <troupe/io/stream_waits.hpp>
#include <troupe/io/transport.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace troupe::io {

namespace internal {

struct stream_access;

/// Who follows a connection, whatever streams are made of it one after the other.
class end_listener {
 public:
  /// Which stream has it now; null while none does.
  virtual void on_move(stream_core* now) noexcept = 0;
  /// The next stream is made of it when a handshake has succeeded.
  virtual void on_handshake() noexcept = 0;
  /// It has closed. The last word.
  virtual void on_end(std::error_code lost) noexcept = 0;

 protected:
  ~end_listener() = default;
};

/// The duty to tell such a one: carried from stream to stream, and done when it goes.
class end_notice {
 public:
  end_notice() noexcept = default;
  explicit end_notice(end_listener& told) noexcept : told_(&told) {}
  end_notice(end_notice&& other) noexcept : told_(std::exchange(other.told_, nullptr)) {}
  end_notice& operator=(end_notice other) noexcept {
    std::swap(told_, other.told_);
    return *this;
  }
  ~end_notice() { end({}); }
  void move(stream_core* now) noexcept {
    if (told_ != nullptr) told_->on_move(now);
  }
  void shake_hands() noexcept {
    if (told_ != nullptr) told_->on_handshake();
  }
  void end(std::error_code lost) noexcept {
    if (told_ != nullptr) std::exchange(told_, nullptr)->on_end(lost);
  }

 private:
  end_listener* told_ = nullptr;
};

}  // namespace internal

/// What is said of a stream once.
struct stream_options {
  /// Bytes of a line, or before a separator, at most; and about as many are read ahead.
  std::size_t limit = std::size_t{1} << 16;
  /// `drain` waits when more than this is unsent...
  std::size_t high_water = std::size_t{1} << 16;
  /// ...until it is no more than this.
  std::size_t low_water = std::size_t{1} << 14;
  /// Unsent bytes at most: a write beyond it throws. One write alone may be longer.
  std::size_t most_unsent = std::size_t{1} << 26;
  /// What `close` has for sending what is written; then the stream is aborted.
  duration close_timeout = std::chrono::seconds(30);
};

/// Bytes in order, both ways: asyncio's reader and writer in one, over whatever transport.
///
///     io::stream peer = co_await io::open_connection({"127.0.0.1", 7});
///     peer.write("hello\n");
///     co_await peer.drain();
///     std::string line = co_await peer.read_line();
///
/// Reading: one task at a time. A read suspends when nothing is there, and after many that did not have to wait, so that a peer who
/// always sends keeps nobody else waiting. Nothing is read from the transport but what somebody wants to have, so a slow reader slows its peer and
/// costs no memory. Each read can be cancelled, also by a time limit around it, and nothing is lost: what had come stays for the next.
/// Writing: `write` takes the bytes and sends what the system takes at once; `drain` waits while much is unsent. A loop of write and
/// drain therefore never holds more than `high_water` and one write.
/// Closing: `close` sends what was written and ends the stream, in the background; `wait_closed` waits for that. A stream that goes
/// is closed.
/// Life: may be moved, also while it is used by tasks; its transport may not change.
/// Errors: of the transport as std::system_error, at reads and `drain`; see each.
/// Threads: the loop's on which it was made.
class stream {
 public:
  /// Over a transport that nobody uses yet, on the running loop.
  /// Errors: std::system_error when it cannot be watched; std::invalid_argument for options that contradict each other;
  /// `invalid_state` when no loop runs on this thread.
  explicit stream(std::unique_ptr<transport> wire, const stream_options& options = {});
  /// What a stream is made of: what moves its bytes, what has been read of that and not taken, and how it is to behave.
  struct pieces {
    std::unique_ptr<transport> wire;
    bytes read;
    stream_options options;
    internal::end_notice notice = {};
  };
  /// Of the pieces of another, which may have been changed.
  explicit stream(pieces taken);
  stream(stream&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  stream& operator=(stream other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~stream() {
    if (core_ != nullptr) drop();
  }

  // --- reading --------------------------------------------------------------------------------------------------------
  // Errors, of all: what the transport failed with; `invalid_state` when another task reads, or the stream goes meanwhile.
  // Cancel: takes nothing.

  /// Some bytes, one at least and `most` at most; none at the end of data.
  internal::read_some_wait read_some(std::size_t most = static_cast<std::size_t>(-1)) {
    return internal::read_some_wait(core(), most);
  }
  /// The same into memory of the caller's; how many they were. Nothing is copied on the way, unless it had been read already.
  internal::read_into_wait read_some(std::span<std::byte> into) {
    return internal::read_into_wait(core(), into);
  }
  /// So many bytes. Errors: `incomplete_read`.
  internal::read_exactly_wait read_exactly(std::size_t count) {
    return internal::read_exactly_wait(core(), count);
  }
  /// All up to the end of data. Errors: `too_long`, which drops nothing of what has not been read yet.
  internal::read_all_wait read_all(std::size_t most = static_cast<std::size_t>(-1)) {
    return internal::read_all_wait(core(), most);
  }
  /// A line with its newline; at the end of data what is left without one, or nothing.
  /// Errors: `too_long` when it is longer than the limit: the line is dropped.
  internal::read_line_wait read_line() { return internal::read_line_wait(core()); }
  /// A line without its newline, "\n" or "\r\n"; nothing at the end of data. For loops:
  ///
  ///     while (auto line = co_await peer.next_line()) use(*line);
  ///
  /// Errors: as `read_line`.
  internal::next_line_wait next_line() { return internal::next_line_wait(core()); }
  /// Up to and with the separator, or that of several that ends first.
  ///
  ///     std::string record = co_await peer.read_until("\r\n", "\n");
  ///
  /// Errors: `incomplete_read`; `limit_overrun`; std::invalid_argument for none, or an empty one.
  template <std::convertible_to<std::string_view>... Others>
  internal::read_until_wait read_until(std::string_view separator, const Others&... others) {
    const std::string_view all[] = {separator, others...};
    return read_until(std::span<const std::string_view>(all));
  }
  internal::read_until_wait read_until(std::span<const std::string_view> separators) {
    return internal::read_until_wait(core(), separators);
  }
  /// Whether the end of data has come and all before it has been read.
  bool at_eof() const noexcept;

  // --- writing --------------------------------------------------------------------------------------------------------

  /// Sends these bytes: what the system does not take now is kept, and sent when it does. After `close`, or when the stream is lost,
  /// they are dropped, and `drain` says so.
  /// Errors: `invalid_state` after `write_eof`; std::system_error (no_buffer_space) beyond `most_unsent`.
  void write(bytes chunk);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void write(const char* text) { write(std::string_view(text)); }
  void write(std::span<const std::byte> chunk);
  /// Several one after the other, which are copied only if they do not leave at once.
  template <std::convertible_to<std::string_view>... More>
  void write(std::string_view first, std::string_view second, const More&... more) {
    const std::string_view all[] = {first, second, more...};
    write(std::span<const std::string_view>(all));
  }
  void write(std::span<const std::string_view> parts);
  /// Waits while more than the high-water mark is unsent, until it is the low one. Does not suspend otherwise.
  /// Errors: what the stream was lost by; std::system_error (connection_reset) after `close`. Cancel: leaves the writing alone.
  internal::drain_wait drain() { return internal::drain_wait(core()); }
  /// No more is written: the peer sees the end of data when all has been sent. Reading goes on. Does nothing the second time.
  void write_eof();
  /// When `drain` waits, and until when; `low` is a quarter of `high` where one of them is not given, and they are those of the default
  /// options where neither is.
  /// Errors: std::invalid_argument when `low` is higher than `high`.
  void set_write_limits(std::optional<std::size_t> high, std::optional<std::size_t> low = {});
  std::size_t unsent() const noexcept;

  // --- the end --------------------------------------------------------------------------------------------------------

  /// Sends what was written, within `close_timeout`, and ends the stream. Who reads sees the end of data.
  void close() noexcept;
  /// Ends the stream now: what is unsent is dropped, and the peer sees a reset where there is such a thing.
  void abort() noexcept;
  bool is_closing() const noexcept;
  /// Waits until it has ended, by `close`, `abort` or loss. Never longer than `close_timeout` after a `close`. That the peer has gone or
  /// has reset is noticed by reads, and by what is to be sent: while there is neither, this does not end.
  /// Errors: what the stream was lost by. Cancel: leaves the closing alone.
  internal::close_wait wait_closed() { return internal::close_wait(core()); }

  // --- what it stands on ----------------------------------------------------------------------------------------------

  /// Takes it apart, to go on with something else over the same transport, such as TLS. The stream is as one that was moved away.
  /// Errors: `invalid_state` when a task waits for it, something is unsent, or it was closed, ended or lost.
  pieces take_apart();
  transport& wire() const noexcept;
  const stream_options& options() const noexcept;
  std::string local_name() const;
  std::string peer_name() const;
  int native() const noexcept;
  explicit operator bool() const noexcept { return core_ != nullptr; }

 private:
  friend struct internal::stream_access;
  void drop() noexcept;
  internal::stream_core& core() const noexcept {
    troupe::expects(core_ != nullptr, "a stream was used after it had been moved away");
    return *core_;
  }
  internal::stream_core* core_;
};

}  // namespace troupe::io
