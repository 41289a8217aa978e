#pragma once

#include <troupe/io/internal/child_body.hpp>
#include <troupe/io/internal/spawn.hpp>
#include <troupe/io/internal/watch.hpp>

#include <optional>

namespace troupe::io::internal {

/// A child of the system's, by its handle (pidfd).
/// Invariant: its number is used only while it has not been collected, so it is still the child's.
class system_child final : public child_body, private poller::listener {
 public:
  /// Starts one, with pipes as they were wanted. Errors: `spawn_error`.
  static started_child start(const launch& wanted, spawn_stack& stack);
  explicit system_child(bool own_group) noexcept : own_group_(own_group) {}
  ~system_child() override;

  int pid() const noexcept override { return pid_; }
  void attach(child_body::listener& told) override;
  int signal(int number) noexcept override;
  int signal_group(int number) noexcept override;
  bool group_lives() noexcept override;
  bool collect(std::optional<int>& returncode, bool group_ends) noexcept override;
  void wait_for_end() noexcept override;
  void let_go() noexcept override;

 private:
  void on_events(std::uint32_t) noexcept override { told_->on_exit(); }
  int handle() const noexcept { return watch_ ? watch_->native() : handle_.get(); }

  child_body::listener* told_ = nullptr;
  pid_t pid_ = -1;
  bool own_group_;
  bool unsettled_ = false;      ///< it has been started, and neither collected nor let go
  std::optional<watch> watch_;  ///< the handle, from `attach` until it has ended
  descriptor handle_;           ///< before and after that
};

}  // namespace troupe::io::internal
