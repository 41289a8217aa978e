#pragma once

#include <troupe/io/internal/child_body.hpp>
#include <troupe/io/internal/spawn.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/io/testing/internal/virtual_pipe.hpp>
#include <troupe/io/testing/internal/virtual_turn.hpp>
#include <troupe/io/testing/programs.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/task.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing::internal {

/// A process of a simulation.
///
/// Life: *running*; *ended*, when nothing that it does has an effect any more; *gone*, when its script has been wound up as well and its
/// parent is told. Shared by those who have to do with it.
/// Threads: that of the simulation.
class virtual_program final : public std::enable_shared_from_this<virtual_program> {
 public:
  /// What it has of whoever started it.
  struct origin {
    std::string name;  ///< by which it was added
    programs::script does;
    int pid;
    virtual_program* parent;  ///< or null, for the test
  };
  virtual_program(simulated_programs& in, loop& home, const io::internal::launch& wanted,
                  origin from);
  ~virtual_program();

  /// Gives it a standard stream. Before `begin`.
  void give(std::size_t index, std::unique_ptr<io::transport> wire,
            std::shared_ptr<virtual_pipe> pipe) noexcept;
  void begin(duration delay);

  // --- who it is
  const std::string& name() const noexcept { return name_; }
  /// As it was started.
  const std::string& called() const noexcept { return called_; }
  const std::vector<std::string>& arguments() const noexcept { return arguments_; }
  std::optional<std::string> environment(std::string_view variable) const;
  const std::string& cwd() const noexcept { return cwd_; }
  int pid() const noexcept { return pid_; }
  int parent() const noexcept { return parent_; }
  int group() const noexcept { return group_; }
  const std::shared_ptr<virtual_pipe>& pipe(std::size_t index) const noexcept {
    return pipes_[index];
  }
  io::stream& stream_of(std::size_t index);

  // --- signals
  enum class disposition : std::uint8_t { usual, handled, ignored };
  void set(int signal, disposition what);
  coro<int> next_signal();
  /// Returns 0 or the system's error.
  int raise(int signal) noexcept;
  void broke_pipe() noexcept;
  bool about_to_be_killed() const noexcept { return pending_.contains(SIGKILL); }

  // --- the end
  bool running() const noexcept { return !returncode_.has_value(); }
  bool gone() const noexcept { return gone_; }
  const std::optional<int>& returncode() const noexcept { return returncode_; }
  void end(int returncode) noexcept;
  /// Its parent has ended without waiting for it.
  void orphan() noexcept;
  bool orphaned() const noexcept { return orphaned_; }
  void tell(io::internal::child_body::listener* told) noexcept;
  /// Its loop gives up: nothing of it runs any more. `let_go` when nothing of it is in a chain any more.
  void abandon() noexcept;
  void let_go() noexcept { tasks_.let_go(); }
  const troupe::internal::task_list& tasks() const noexcept { return tasks_; }

  /// The number of the process in which this runs; 0 in the test.
  static int here() noexcept;
  /// That to which a task belongs.
  static int made(task_base& task) noexcept;

 private:
  static coro<> play(std::shared_ptr<virtual_program> self, duration delay);
  coro<> flush();
  void over(int status, const std::exception_ptr& failed) noexcept;
  void take_signals() noexcept;
  void cancel_tasks() noexcept;
  void wound_up() noexcept;
  disposition of(int signal) const noexcept;

  simulated_programs& in_;
  loop& home_;
  std::string name_;
  programs::script does_;
  std::string called_;
  std::vector<std::string> arguments_;
  bool knows_system_ = false;  ///< its environment is that of the test, but for `environment_`
  std::map<std::string, std::string, std::less<>> environment_;
  std::string cwd_;
  int pid_;
  int parent_;
  int group_;

  program seen_{*this};
  std::array<std::unique_ptr<io::transport>, 3> wires_;
  std::array<std::shared_ptr<virtual_pipe>, 3> pipes_;
  std::array<std::optional<io::stream>, 3> streams_;

  std::map<int, disposition> dispositions_;
  std::set<int> pending_;
  std::deque<int> arrived_;
  event arrival_;
  std::shared_ptr<virtual_turn> signals_;
  bool pipe_broken_ = false;

  troupe::internal::task_list tasks_;
  io::internal::child_body::listener* told_ = nullptr;
  std::shared_ptr<virtual_turn> exit_;
  std::optional<int> returncode_;
  bool gone_ = false;
  bool orphaned_ = false;
};

}  // namespace troupe::testing::internal
