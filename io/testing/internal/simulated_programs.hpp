#pragma once

#include <troupe/io/internal/simulated_children.hpp>
#include <troupe/io/testing/internal/outside_story.hpp>
#include <troupe/io/testing/internal/virtual_pipe.hpp>
#include <troupe/io/testing/programs.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace troupe::testing::internal {

class virtual_program;

/// What is behind a `programs`: what is installed, the processes that there are, and who holds which end of which pipe.
/// Nothing in it goes by addresses of memory.
class simulated_programs final : public io::internal::simulated_children,
                                 public std::enable_shared_from_this<simulated_programs> {
 public:
  simulated_programs(simulation& world, const programs_options& options);
  ~simulated_programs() override;
  /// Once, when it is shared.
  void watch_steps();

  io::internal::started_child start(const io::internal::launch& wanted) override;

  // --- commands
  void add(std::string name, programs::script does);
  void add_shell(std::string command, programs::script does);
  void remove(std::string_view name);
  void start_fails(std::string name, std::error_code why, io::spawn_error::step at);
  std::size_t kill(std::string_view name, int signal);
  std::size_t running(const std::string_view* name) const noexcept;
  const std::vector<program_run>& runs() const noexcept { return runs_; }

  // --- for processes and pipes
  void opened(pipe_end& one) { ends_.push_back(&one); }
  void closed(const pipe_end& one) noexcept { std::erase(ends_, &one); }
  virtual_program* find(int pid) const noexcept;
  /// Returns 0 or the system's error, as of a signal to a group.
  int signal_group(int group, int signal) noexcept;
  bool group_lives(int group) const noexcept;
  void ended(virtual_program& one) noexcept;
  void gone(virtual_program& one) noexcept;
  void wrote_in_vain(int pid) noexcept;
  std::size_t shortened(std::size_t size);
  void touched() noexcept { world_.touch(object_, true); }
  void note(int pid, std::string_view what, std::string_view content = {});
  void note_written(int of_process, int by, std::string_view content) noexcept;

 private:
  struct failing {
    std::error_code why;
    io::spawn_error::step at;
  };
  struct installed {
    std::string name;
    programs::script does;
  };
  installed look_up(const io::internal::launch& wanted) const;
  void may_fail(const io::internal::launch& wanted);
  void connect(virtual_program& made, const io::internal::launch& wanted,
               const virtual_program* parent, io::internal::started_child& result);
  void maybe_kill();

  simulation& world_;
  programs_options options_;
  outside_story* story_ = outside_story::current();
  std::uint64_t object_;
  std::size_t faults_left_;
  std::map<std::string, programs::script, std::less<>> scripts_;
  std::map<std::string, programs::script, std::less<>> commands_;  ///< of the shell
  std::map<std::string, failing, std::less<>> failing_;
  std::vector<std::shared_ptr<virtual_program>> all_;  ///< until they are gone
  std::vector<program_run> runs_;                      ///< by number
  std::vector<pipe_end*> ends_;                        ///< in the order of their making
};

}  // namespace troupe::testing::internal
