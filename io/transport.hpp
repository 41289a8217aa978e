#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <system_error>

namespace troupe::io {

/// What came of one attempt to move bytes.
struct transfer {
  std::size_t bytes = 0;
  /// operation_would_block: nothing can be moved now, and a notice will follow.
  std::error_code error = {};

  bool blocked() const noexcept {
    // Compared by category only when the number fits: most attempts move something.
    return error.value() == static_cast<int>(std::errc::operation_would_block) &&
           (error.category() == std::generic_category() ||
            error == std::errc::operation_would_block);
  }
  static transfer none_now() noexcept {
    return {0, std::make_error_code(std::errc::operation_would_block)};
  }
};

/// What moves the bytes of a `stream`: a socket, a pipe, TLS over another transport, memory. Who writes one makes everything above it
/// (lines, limits, back-pressure, closing) work over it; the test `tests/io/stream_contract.hpp` says whether it is right.
///
/// Nothing here waits. An attempt that is not possible now says so, and the listener gets a notice when it may be possible again;
/// a notice too many does no harm.
/// Life: made anywhere, even on another thread; `attach` brings it to the loop where it stays; `close`, once, ends it.
/// Threads: from `attach` on, its loop's.
class transport {
 public:
  /// Who is told when an attempt may succeed.
  class listener {
   public:
    /// Outside of any task. The transport may be closed inside, but not destroyed.
    virtual void on_ready() noexcept = 0;

   protected:
    ~listener() = default;
  };

  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;
  virtual ~transport() = default;

  /// From now on `told` gets the notices, on the running loop. Said again, on the same loop: another gets them, as when TLS begins; of
  /// what had been told to the first there need be no notice again, so the second tries before it waits.
  /// Errors: std::system_error when the system cannot watch it.
  virtual void attach(listener& told) = 0;
  /// Reads what is there, up to the size of `into`, which is not empty. No bytes and no error: the peer writes no more.
  virtual transfer read(std::span<std::byte> into) noexcept = 0;
  /// What a read may find now, for who would rather not try. Who cannot tell says that it may be anything.
  struct outlook {
    bool bytes = true;  ///< there may be some
    bool end = true;  ///< the end of data, or of the transport, may be there, perhaps behind bytes
    bool failure = false;  ///< it is known to have failed, though bytes may be left to read
  };
  virtual outlook look() const noexcept { return {}; }
  /// What it has failed with, where that is known before a read or write comes upon it. It may be told once only.
  virtual std::error_code failure() noexcept { return {}; }
  /// Writes what can be taken now of `parts`, one after the other; there are some, and they are not empty.
  virtual transfer write(std::span<const std::span<const std::byte>> parts) noexcept = 0;
  /// Tells the peer that no more is written, where that can be said. Once, when all has been written.
  virtual std::error_code end_writing() noexcept = 0;
  /// Before a close without a reset, when all has been written: whether it may come now. Else, as where a farewell has to leave first,
  /// a notice follows, and this is asked again.
  virtual bool finish() noexcept { return true; }
  /// Ends both directions; no notice comes any more. What was written still reaches the peer, also when there is something that was
  /// not read. With `reset`, in such a way that the peer does not take what it got for all
  /// there was.
  virtual void close(bool reset) noexcept = 0;

  /// Where it comes from and leads to, for people and logs: "127.0.0.1:8080", a path, "pipe".
  virtual std::string local_name() const = 0;
  virtual std::string peer_name() const = 0;
  /// The descriptor below, or -1. It stays the transport's.
  virtual int native() const noexcept { return -1; }
  /// The descriptor into which the system may put bytes itself, in the place of `write`, as sendfile does; -1 where they have to go
  /// through `write`.
  virtual int output() const noexcept { return -1; }

 protected:
  transport() = default;
};

}  // namespace troupe::io
