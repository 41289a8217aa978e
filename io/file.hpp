#pragma once

#include <troupe/io/bytes.hpp>
#include <troupe/io/stream_errors.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/coro.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::io {

class file;
namespace internal {
class file_core;
}  // namespace internal

/// What a file is opened for. Trivially destructible, so that it may stand inside a co_await expression.
struct open_options {
  bool read = false;
  bool write = false;
  bool append = false;          ///< to write, but at the end only, wherever that is by then
  bool create = false;          ///< if there is none
  bool truncate = false;        ///< to nothing
  bool exclusive = false;       ///< with `create`: it is an error if there is one
  unsigned permissions = 0666;  ///< of one that is created, less the umask
};

inline constexpr open_options to_read{.read = true};
inline constexpr open_options to_write{.write = true, .create = true, .truncate = true};
inline constexpr open_options to_append{.append = true, .create = true};
inline constexpr open_options to_change{.read = true, .write = true};

/// Opens a file. The descriptor is close-on-exec.
/// Errors: std::system_error that names the path: no_such_file_or_directory, permission_denied, file_exists; is_a_directory for a
/// directory; invalid_seek for a pipe or socket, which are streams; invalid_argument for a path that holds a NUL.
/// std::invalid_argument for options that contradict each other; `invalid_state` off a loop.
/// Cancel: what was opened, or made, meanwhile is closed.
coro<file> open_file(std::string path, open_options options = to_read);

/// An open file. Whatever may block is done on a few threads that its loop keeps for files, never on the loop.
///
///     io::file log = co_await io::open_file("app.log", io::to_append);
///     co_await log.write("started\n");
///     co_await log.close();
///
/// Two ways of reading and writing: at a given place, any number at the same time; or at the file's own position, one after the other
/// in the order they were asked for. The position is the object's, not the system's; it moves when a call ends well.
/// Cancel, of all: a call that waits for a thread is not made. One that the system has begun goes on there, and its result is
/// dropped: a read has taken nothing, the position stays; of a write anything between nothing and all may be in the file. The memory
/// of the caller is never touched after the await. What comes next in the same file waits until the call has really ended.
/// Life: moved at will. One that goes is closed, in the background; what was written is in the hands of the system then, `flush` is the
/// way to the disk. The shutdown of the runtime waits for calls under way and for the closing.
/// Errors, of all: std::system_error that says what was done, with which path; `invalid_state` after `close`, or when it was not opened
/// for that.
/// Threads: the loop's on which it was opened. Cost: some 10 us for the way to a thread and back, and what the system takes.
class file {
 public:
  explicit file(internal::file_core& owned) noexcept : core_(&owned) {}
  file(file&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  file& operator=(file other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~file() {
    if (core_ != nullptr) drop();
  }

  // --- at the position ------------------------------------------------------------------------------------------------

  /// `most` bytes, fewer only at the end, none there; of a device what it gives. A line of reads that ends with an empty one has it all.
  coro<bytes> read(std::size_t most);
  /// The same into memory of the caller's, which is written to when the await ends and only if it ends well.
  coro<std::size_t> read(std::span<std::byte> into);
  /// All up to the end. Errors: `too_long` when that is more than `limit`; the position stays then.
  coro<bytes> read_all(std::size_t limit);
  /// All of it, at the position; at the end if the file was opened to append.
  /// Errors: std::system_error that also says how much was written, as with no_space_on_device.
  coro<> write(bytes content);
  coro<> write(std::string_view text) { return write(bytes(text)); }
  /// The position, which may lie behind the end: what is written there leaves a hole.
  std::uint64_t tell() const;
  void seek(std::uint64_t position);

  // --- anywhere -------------------------------------------------------------------------------------------------------

  coro<bytes> read_at(std::uint64_t offset, std::size_t most);
  coro<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into);
  /// Errors: `invalid_state` for a file that was opened to append, where the system would write at the end all the same.
  coro<> write_at(std::uint64_t offset, bytes content);
  /// At the end, wherever that is by then: several processes may do it at the same time. The position stays.
  coro<> append(bytes content);
  coro<> append(std::string_view text) { return append(bytes(text)); }

  // --- the whole ------------------------------------------------------------------------------------------------------

  coro<std::uint64_t> size();
  /// Cuts it off there, or lengthens it with zeros. The position stays.
  coro<> truncate(std::uint64_t size);
  /// Waits until all that was written is on the disk; without the time of change and its like when `data_only`.
  coro<> flush(bool data_only = false);
  /// Closes it, after what is under way. Errors: what the system says at the closing, which can be that earlier writes are lost.
  /// Cancel: it is closed all the same.
  coro<> close();

  const std::string& path() const;
  /// The descriptor, which stays the file's; -1 when it is closed.
  int native() const noexcept;
  explicit operator bool() const noexcept { return core_ != nullptr; }

  /// For what is built on files.
  internal::file_core& core() const {
    troupe::expects(core_ != nullptr, "a file was used after it had been moved away");
    return *core_;
  }

 private:
  void drop() noexcept;
  internal::file_core* core_;
};

// --- whole files by their names ---------------------------------------------------------------------------------------

/// All of a file. Errors: as `open_file`; `too_long` when it is more than `limit`.
coro<bytes> read_file(std::string path, std::size_t limit = std::size_t{1} << 26);

/// Writes a file, which is made if there is none and cut off if there is one. A reader may see a part of it, and a failure leave one:
/// see `write_file_atomically`.
coro<> write_file(std::string path, bytes content);
coro<> write_file(std::string path, std::string_view text);

/// Replaces the content of a file, or makes it, so that whoever reads it, at any time, also after a failure or a crash, finds all of the
/// old or all of the new. It is written under another name beside it (".name.XXXXXXXXXX", which only a crash leaves behind), flushed, and
/// renamed. Permissions are kept, the owner where the process may set him; a symbolic link stays, and what it points at is replaced.
/// Errors: as `open_file`; the old content is there then, unless only the flush of the directory failed.
/// Cancel: the old or the new.
coro<> write_file_atomically(std::string path, bytes content);
coro<> write_file_atomically(std::string path, std::string_view text);

}  // namespace troupe::io
