#pragma once

#include <troupe/io/internal/child_body.hpp>
#include <troupe/io/internal/spawn.hpp>
#include <troupe/io/process.hpp>
#include <troupe/runtime/timer.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace troupe::io::internal {

class children_of_loop;
template <class Member>
class members_of_loop;

/// What `communicate` has sent and read so far; it is kept here, so that one that was cancelled loses nothing.
struct conversation {
  std::string input;
  std::size_t sent = 0;
  std::string heard[2];  ///< output, errors
  bool going_on = false;
  bool cut = false;
};

/// Whether anybody of the group has not ended. One that has, and that its parent does not collect, is there for a signal; in a
/// container whose first process collects nobody it is so for ever. Cost: a file of /proc for each process of the system.
bool group_lives(pid_t group) noexcept;

/// What is behind a `process`.
///
/// Life: made with the child, shared by the `process`, those who communicate, and its loop, which keeps it until the child has been
/// collected and, once its `process` has gone, ended with all of its group.
/// Whether it is a process of the system's or one that is played is its body's business.
class child final : public std::enable_shared_from_this<child>,
                    private child_body::listener,
                    private timer {
 public:
  /// Starts it. Errors: `spawn_error`, std::system_error.
  static std::shared_ptr<child> start(const launch& wanted);
  ~child();

  int pid() const noexcept { return body_->pid(); }
  bool ended() const noexcept { return ended_; }
  const std::optional<int>& returncode() const noexcept { return returncode_; }

  /// 0, 1 or 2; null where it is no pipe, or has been moved away.
  stream* standard_stream(std::size_t index) noexcept {
    return streams_[index] && *streams_[index] ? &*streams_[index] : nullptr;
  }
  conversation& said() noexcept { return said_; }

  bool send_signal(int number);
  bool signal_group(int number);
  void wait_for_end(exit_wait& wait) { waiting_.push(wait); }
  /// What a wait ends with. Pre: ended().
  std::exception_ptr loss() const noexcept;

  /// Ends the group.
  void end(duration grace) noexcept;
  /// Its `process` has gone.
  void drop() noexcept;
  bool dropped() const noexcept { return dropped_; }

 private:
  friend class children_of_loop;
  friend class members_of_loop<child>;
  child(loop& home, const launch& wanted);
  /// Errors: std::system_error; then the child ends as this goes.
  void adopt(started_child made, const stream_options& options);
  void on_exit() noexcept override;
  static void on_due(timer& due) noexcept;

  /// Returns 0 or the system's error.
  int try_signal(int number) noexcept;
  int try_signal_group(int number) noexcept;
  bool has_group() const noexcept { return group_ != process_group::same; }
  /// Collects its status. False when it has not ended.
  bool collect() noexcept;
  void wake_waiting(const std::exception_ptr& error) noexcept;
  void go_on_ending() noexcept;
  void arm(duration wait) noexcept;
  /// There is nothing left to be done. This may be gone then.
  void finish() noexcept;
  /// Kills and collects it at once, without a loop.
  void end_now() noexcept;

  loop& home_;
  children_of_loop* kept_by_;    ///< null when its loop has closed
  std::shared_ptr<child> kept_;  ///< itself, while there is something left to be done
  std::unique_ptr<child_body> body_;
  process_group group_;
  duration grace_;
  std::array<std::optional<stream>, 3> streams_;
  conversation said_;
  troupe::internal::chain<exit_wait> waiting_;
  std::optional<int> returncode_;
  bool ended_ = false;
  bool dropped_ = false;
  bool ending_ = false;
  bool killed_ = false;
  time_point kill_at_{};
  duration next_look_{};       ///< for what is left of the group
  child* previous_ = nullptr;  ///< neighbours among the children of the loop
  child* next_ = nullptr;
};

}  // namespace troupe::io::internal
