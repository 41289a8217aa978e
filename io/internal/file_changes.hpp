#pragma once

#include <troupe/io/fd_watch.hpp>
#include <troupe/io/internal/file_job.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/time.hpp>

#include <optional>
#include <string>

namespace troupe::io::internal {

/// Tells that something may have happened to a file or to its name: by inotify, as far as the system has it to give, and at intervals
/// in any case.
/// Threads: one loop's.
class file_changes {
 public:
  file_changes(std::string path, duration interval);

  /// The name leads to another file now, or may. What happens from the end of this on is told. Cancel: may be called again.
  coro<> look_anew();
  /// Waits for a change, one since the last wait included.
  coro<> next();

 private:
  void drain() noexcept;

  std::string path_;
  duration interval_;
  slow_descriptor inotify_;
  std::optional<fd_watch> watch_;  ///< goes before the descriptor
  int file_ = -1;                  ///< what inotify calls it
};

}  // namespace troupe::io::internal
