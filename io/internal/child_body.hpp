#pragma once

#include <troupe/io/transport.hpp>

#include <array>
#include <memory>
#include <optional>

namespace troupe::io::internal {

/// The process that a `child` looks after: one of the system's (`system_child`), or one that the test kit plays.
///
/// Life: made with the process, and owned by the `child`. One that goes before its process was collected, because something around it
/// failed, kills that.
/// Threads: those of its loop.
class child_body {
 public:
  class listener {
   public:
    /// It may have ended: `collect` says so. Outside of any task. The body may be gone afterwards.
    virtual void on_exit() noexcept = 0;

   protected:
    ~listener() = default;
  };

  child_body(const child_body&) = delete;
  child_body& operator=(const child_body&) = delete;
  virtual ~child_body() = default;

  virtual int pid() const noexcept = 0;
  /// Once, on the loop that is its own from then on. Errors: std::system_error when it cannot be watched.
  virtual void attach(listener& told) = 0;
  /// Returns 0, or the system's error; ESRCH when it has been collected.
  virtual int signal(int number) noexcept = 0;
  /// The same to its group, also when it has been collected itself; ESRCH when nobody is left. Pre: it has one of its own.
  virtual int signal_group(int number) noexcept = 0;
  /// Whether anybody of its group has not ended. Pre: it has one of its own.
  virtual bool group_lives() noexcept = 0;
  /// Collects its status, which stays none where somebody else has got it. False when it has not ended. `group_ends`: so is what is left of
  /// its group to do, where that cannot be reached any more afterwards.
  virtual bool collect(std::optional<int>& returncode, bool group_ends) noexcept = 0;
  /// It was killed, and there is no loop to wait with: waits for its end, some seconds at most.
  virtual void wait_for_end() noexcept = 0;
  /// Nothing more is wanted of it.
  virtual void let_go() noexcept = 0;

 protected:
  child_body() = default;
};

/// A child that has become its program, and this process's ends of its pipes.
struct started_child {
  std::unique_ptr<child_body> body;
  std::array<std::unique_ptr<transport>, 3> pipes;
};

}  // namespace troupe::io::internal
