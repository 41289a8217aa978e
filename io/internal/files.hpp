#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>

// The system's file calls, as all of this layer makes them: to the simulation's disk where there is one.

namespace troupe::io::internal::files {

/// As the system's, which it does not leave to a program that becomes another.
int open(const std::string& path, int flags, unsigned permissions = 0) noexcept;
int close(int file) noexcept;
/// As `pread`; as `read` where `offset` is negative.
ssize_t read(int file, std::span<std::byte> into, off_t offset) noexcept;
/// As `pwrite`; at the end where `offset` is negative.
ssize_t write(int file, std::span<const std::byte> from, off_t offset) noexcept;
int flush(int file, bool data_only = false) noexcept;
int resize(int file, off_t size) noexcept;
int look(int file, struct stat& about) noexcept;
/// A link is followed unless it is said otherwise.
int look(const std::string& path, struct stat& about, bool follow = true) noexcept;
int remove(const std::string& path) noexcept;
int rename(const std::string& from, const std::string& to) noexcept;
int make_directory(const std::string& path, mode_t permissions) noexcept;
/// How many there were. What others remove meanwhile is no error.
std::uint64_t remove_all(const std::string& path, std::error_code& error);

/// The owner where that is allowed, and the permissions, as those of another file.
int take_over_rights(int file, const struct stat& from) noexcept;
/// The path with its symbolic links followed, as far as it exists.
std::string followed(const std::string& path);
/// Ten letters that nobody guesses. Errors: std::system_error.
std::string random_letters();
/// Where what is made for a while is made.
std::string temporary_place();

/// What a directory holds.
class listing {
 public:
  struct entry {
    std::string name;
    mode_t mode = 0;  ///< its kind; 0 when that is not known
  };
  virtual ~listing() = default;
  /// False at the end, and when something fails: errno says which, 0 or what. "." and ".." are left out.
  virtual bool next(entry& into) = 0;
};
/// Null with errno.
std::unique_ptr<listing> list(const std::string& path);

}  // namespace troupe::io::internal::files
