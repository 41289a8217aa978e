#pragma once

#include <troupe/runtime/time.hpp>

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace troupe::io::internal {

/// The file calls of a simulation: each does what the system's call of that kind does, in so far as this layer can tell, and says -1
/// with errno as that does. Its numbers are above all sockets'. The test kit has the one that there is (testing::disk).
/// Threads: that of the simulation.
class simulated_files {
 public:
  static constexpr int first_number = 1 << 30;

  virtual ~simulated_files() = default;
  virtual int open(const std::string& path, int flags, unsigned permissions) = 0;
  virtual int close(int file) = 0;
  /// At its own position, which goes on, where `offset` is negative.
  virtual ssize_t read(int file, std::span<std::byte> into, off_t offset) = 0;
  /// At the end where `offset` is negative.
  virtual ssize_t write(int file, std::span<const std::byte> from, off_t offset) = 0;
  virtual int flush(int file) = 0;
  virtual int resize(int file, off_t size) = 0;
  virtual int set_permissions(int file, mode_t permissions) = 0;
  virtual int look(int file, struct stat& about) = 0;

  virtual int look(const std::string& path, struct stat& about) = 0;
  /// A file or an empty directory.
  virtual int remove(const std::string& path) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int make_directory(const std::string& path, mode_t permissions) = 0;
  /// Names and modes, by name.
  virtual int list(const std::string& path, std::vector<std::pair<std::string, mode_t>>& found) = 0;

  /// The same ten letters in the same run, and others each time.
  virtual std::string unused_letters() = 0;
  /// How long a call takes.
  virtual duration latency() const noexcept = 0;
};

/// Those of the simulation that this thread is in; null where there is none, or it has no disk.
simulated_files* simulated_disk() noexcept;

}  // namespace troupe::io::internal
