#pragma once

#include <troupe/io/process_options.hpp>
#include <troupe/io/socket.hpp>

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace troupe::io::internal {

struct launch_limit {
  int resource;
  rlimit values;
};

/// What is to be started, with all that `process_options` refers to copied and checked.
class launch {
 public:
  /// Errors: std::invalid_argument.
  launch(std::string program, std::vector<std::string> arguments, const process_options& options);

  const std::string& program() const noexcept { return program_; }
  process_group group() const noexcept { return group_; }
  duration grace() const noexcept { return grace_; }
  const stream_options& streams() const noexcept { return streams_; }

 private:
  friend class spawning;
  struct way {  ///< of a standard stream
    stdio::to kind;
    int native;
    std::string path;
  };
  void set_environment(const process_options& options);
  void find_candidates();

  std::string program_;
  std::vector<std::string> arguments_;
  bool own_environment_ = false;
  std::vector<std::string> environment_;
  std::vector<std::string> candidates_;  ///< paths to try, in order
  std::string cwd_;
  std::array<way, 3> ways_;
  process_group group_;
  std::vector<launch_limit> limits_;
  std::optional<unsigned> umask_;
  std::vector<int> pass_;
  duration grace_;
  stream_options streams_;
};

/// A child that has become its program, and this process's ends of its pipes.
struct spawned {
  pid_t pid = -1;
  descriptor handle;  ///< the pidfd
  std::array<descriptor, 3> pipes;
};

/// The memory that a child runs on until it has become its program. One at a time uses it.
class spawn_stack {
 public:
  spawn_stack() = default;
  ~spawn_stack();
  spawn_stack(const spawn_stack&) = delete;
  spawn_stack& operator=(const spawn_stack&) = delete;
  /// Errors: std::bad_alloc.
  void* top();

 private:
  void* memory_ = nullptr;
};

/// Starts a child. The calling thread waits until it has become its program, some 100 us.
/// Errors: `spawn_error`; then nothing is left of it.
spawned spawn(const launch& wanted, spawn_stack& stack);

}  // namespace troupe::io::internal
