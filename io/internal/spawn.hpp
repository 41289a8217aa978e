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

  // For who starts it in a simulation.
  struct way {  ///< of a standard stream
    stdio::to kind;
    int native;
    std::string path;
  };
  const std::array<way, 3>& ways() const noexcept { return ways_; }
  /// The first is the program.
  const std::vector<std::string>& arguments() const noexcept { return arguments_; }
  /// Where the program is looked for, in order.
  const std::vector<std::string>& candidates() const noexcept { return candidates_; }
  const std::string& cwd() const noexcept { return cwd_; }
  /// Whether it gets what its parent has in its environment, besides `added_environment`.
  bool inherits_environment() const noexcept { return inherits_environment_; }
  /// Its own settings; all of them, unless it inherits others.
  const std::vector<std::string>& added_environment() const noexcept { return added_; }
  bool passes_descriptors() const noexcept { return !pass_.empty(); }

 private:
  friend class spawning;
  void set_environment(const process_options& options);
  void find_candidates();

  std::string program_;
  std::vector<std::string> arguments_;
  bool own_environment_ = false;
  bool inherits_environment_ = true;
  std::vector<std::string> environment_;
  std::vector<std::string> added_;
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
