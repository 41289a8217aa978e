#pragma once

#include <troupe/io/file.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Names of files and what lies behind them. All of it is done on the threads that the loop keeps for files; see file.hpp for what
// cancelling does, and what errors say.

namespace troupe::io {

enum class file_kind : unsigned char {
  none,
  regular,
  directory,
  symbolic_link,
  pipe,
  socket,
  device
};

/// What the system knows of a file.
struct file_status {
  file_kind kind = file_kind::none;
  unsigned permissions = 0;
  std::uint64_t size = 0;
  std::uint64_t links = 0;
  std::uint64_t device = 0;  ///< two names lead to the same file when this...
  std::uint64_t inode = 0;   ///< ...and this are equal
  unsigned owner = 0;
  unsigned group = 0;
  duration modified{};  ///< since 1970

  bool exists() const noexcept { return kind != file_kind::none; }
  bool same_file(const file_status& other) const noexcept {
    return exists() && device == other.device && inode == other.inode;
  }
};

/// What lies behind a name; of kind `none` when there is nothing. A symbolic link is followed unless it is said otherwise.
/// Errors: std::system_error when that cannot be known, such as permission_denied.
coro<file_status> status_of(std::string path, bool follow = true);
/// Whether there is something, at this moment.
coro<bool> exists(std::string path);

/// Removes a file, a symbolic link or an empty directory. Errors: no_such_file_or_directory, directory_not_empty...
coro<> remove_path(std::string path);
/// Removes all of a tree, and does not follow symbolic links out of it. Gives how many there were; none is no error. Others may remove of it at
/// the same time; what was removed before one met them may be missing from the count.
/// Cancel: what has begun goes on to its end.
coro<std::uint64_t> remove_tree(std::string path);
/// Gives a file another name in the same file system; what had that name is replaced at once.
coro<> rename_path(std::string from, std::string to);
/// Makes a directory and those above it that are missing. True when it was not there. Errors: file_exists, not_a_directory when
/// something else is.
coro<bool> make_directories(std::string path, unsigned permissions = 0777);

// --- directories ------------------------------------------------------------------------------------------------------

struct directory_entry {
  std::string name;
  file_kind kind = file_kind::none;  ///< of the link where it is one
};

/// A directory that is read piece by piece, in no order, for those that may be huge.
///
///     io::directory all = co_await io::open_directory("/var/log");
///     for (auto some = co_await all.next(); !some.empty(); some = co_await all.next()) use(some);
///
/// Life: closed when it goes. What comes or goes meanwhile may be seen or not. One `next` at a time.
/// Threads: its loop's. Cancel of `next`: what it had taken is lost: begin again.
class directory {
 public:
  struct reading;
  explicit directory(reading& owned) noexcept : reading_(&owned) {}
  directory(directory&& other) noexcept : reading_(std::exchange(other.reading_, nullptr)) {}
  directory& operator=(directory other) noexcept {
    std::swap(reading_, other.reading_);
    return *this;
  }
  ~directory();

  /// Some entries, `most` at most; none at the end. "." and ".." are left out.
  coro<std::vector<directory_entry>> next(std::size_t most = 256);

 private:
  reading* reading_;
};

coro<directory> open_directory(std::string path);
/// All entries, by name. Errors: `too_long` when they are more than `limit`.
coro<std::vector<directory_entry>> list_directory(std::string path, std::size_t limit = 100'000);

// --- for a while ------------------------------------------------------------------------------------------------------

/// A name that goes, with all that lies behind it, when this goes: in the background, before the runtime has shut down.
///
///     io::temporary scratch = co_await io::temporary_directory();
///     co_await io::write_file(scratch.path() + "/notes", "...");
///
/// Threads: its loop's. Off any loop it removes where it goes.
class temporary {
 public:
  explicit temporary(std::string path) noexcept : path_(std::move(path)) {}
  temporary(temporary&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  temporary& operator=(temporary other) noexcept {
    path_.swap(other.path_);
    return *this;
  }
  ~temporary() {
    if (!path_.empty()) remove();
  }

  const std::string& path() const noexcept { return path_; }
  /// It stays: gives the name away.
  std::string keep() noexcept { return std::exchange(path_, {}); }

 private:
  void remove() noexcept;
  std::string path_;
};

/// A new directory, or an empty file, that only this user can read, in `where`; where that is empty, in TMPDIR or /tmp.
/// Cancel: what was made is removed.
coro<temporary> temporary_directory(std::string where = {});
coro<temporary> temporary_file(std::string where = {});

}  // namespace troupe::io
