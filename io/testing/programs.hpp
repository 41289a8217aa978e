#pragma once

#include <troupe/io/process_options.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/testing/simulation.hpp>
#include <troupe/runtime/time.hpp>

#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace troupe::testing {

namespace internal {
class simulated_programs;
class virtual_program;
}  // namespace internal

/// A program that runs, as its script sees it: what a process knows of itself.
///
/// Signals do what they do to a process that says nothing about them: they end it, but for SIGCHLD, SIGCONT, SIGURG and SIGWINCH, which do
/// nothing. `handle` and `ignore` change that. SIGSTOP and its like are not simulated: who sends one gets operation_not_supported.
/// Life: from the start to the end of the process; the script is cancelled when that was ended from outside.
/// Threads: the loop's on which the child was started.
class program {
 public:
  program(const program&) = delete;
  program& operator=(const program&) = delete;

  /// As it was started: argv[0].
  const std::string& name() const noexcept;
  /// What came behind that; for a command of the shell "-c" and the command.
  const std::vector<std::string>& arguments() const noexcept;
  /// A variable of its environment.
  std::optional<std::string> environment(std::string_view variable) const;
  /// The folder that it begins in, as it was given; empty for that of the test.
  const std::string& cwd() const noexcept;
  int pid() const noexcept;

  /// Its standard streams. Where one is no pipe there is nothing to read, and what is written is dropped; `merged` errors go where the output
  /// goes. What has been written when the script ends still leaves, if somebody reads it.
  /// To write to what nobody reads any more ends it by SIGPIPE, unless that is handled or ignored: then it is broken_pipe.
  io::stream& input();
  io::stream& output();
  io::stream& errors();

  /// From now on that signal is for `next_signal`; or nothing; or what it was in the beginning.
  /// Errors: std::invalid_argument for SIGKILL and SIGSTOP, and for a number that no signal has.
  void handle(int signal);
  void ignore(int signal);
  void restore(int signal);
  /// Waits for a signal that is handled. One that comes again before it was taken comes once. Cancel: takes none.
  coro<int> next_signal();

 private:
  friend class internal::virtual_program;
  explicit program(internal::virtual_program& played) noexcept : played_(&played) {}
  internal::virtual_program* played_;
};

struct programs_options {
  /// How many things the oracle may have go wrong in a run: a start that fails, for there can be no further process or no memory is
  /// left; a program that is killed by somebody, at any step.
  std::size_t faults = 0;
  duration start_delay = duration::zero();  ///< before a program that was started does anything
  /// The oracle may have a part of what was written come first.
  bool short_transfers = true;
  std::size_t pipe_capacity = std::size_t{1} << 16;  ///< Linux's
};

/// A program that was started.
struct program_run {
  std::string name;  ///< by which it was added
  std::vector<std::string> arguments;
  int pid = 0;
  std::optional<int> returncode;  ///< nothing while it runs
};

/// The programs that there are in a simulation. Whatever starts children in it (`subprocess_exec`, `subprocess_shell`, `subprocess_actor`)
/// runs unchanged, and its children are coroutines: no process of the system's is made.
///
///     explore({}, [](simulation& world) -> coro<> {
///       programs installed(world);
///       installed.add("wc", [](program& self) -> coro<int> {
///         const io::bytes all = co_await self.input().read_all();
///         self.output().write(std::to_string(all.size()), "\n");
///         co_return 0;
///       });
///       ...
///     });
///
/// A script is the whole of a process: what it returns is the exit status, of which eight bits are told; one that throws is a failure of the
/// scenario, and ends by SIGABRT. It may itself start children. What a parent hears of the end is a turn of its own, before or after it has
/// read the last output; so is each signal that arrives, and each time that there is something to read.
///
/// When a process ends its pipes close, at that moment, and what had left can still be read. Its script is cancelled for good, and the end is
/// told when it has gone; so are the tasks that it made. Children that it had, and that are not in its group, go on without it.
///
/// Life: made before the first child; it goes on to the end of the simulation, with or without this handle. What scripts refer to lives as
/// long as they run.
/// Threads: that of the simulation.
class programs {
 public:
  using script = callable<coro<int>(program&)>;

  /// Of the simulation that this thread is in. Errors: `invalid_state` where there is none, or it has programs already; std::invalid_argument
  /// for options that make no sense.
  explicit programs(const programs_options& options = {});
  explicit programs(simulation& world, const programs_options& options = {});

  /// Installs a program, in the place of another of that name. One with a slash in it is the path of one program; one without is found in each
  /// folder, as "/usr/bin/wc" and in whatever PATH. Whoever starts what is not there gets `spawn_error`: no_such_file_or_directory.
  /// Errors: std::invalid_argument without a name or a script.
  void add(std::string name, script does);
  /// What the shell does with that very command, of `subprocess_shell`. Once there is one, any other command is not found: 127. An `add("sh", ...)`
  /// has those that are not known here.
  void add_shell(std::string command, script does);
  void remove(std::string_view name);
  /// Starting it fails from now on, until it is added again: with resource_unavailable_try_again, say.
  void start_fails(std::string name, std::error_code why,
                   io::spawn_error::step at = io::spawn_error::step::process);

  /// Sends all that run under that name a signal, as somebody might. Returns how many they were.
  /// Errors: std::invalid_argument for a number that no signal has; std::system_error (operation_not_supported) for SIGSTOP and its like.
  std::size_t kill(std::string_view name, int signal = SIGKILL);
  /// How many run under that name; all in all.
  std::size_t running(std::string_view name) const noexcept;
  std::size_t running() const noexcept;
  /// All that were started, in that order; under that name.
  std::vector<program_run> runs() const;
  std::vector<program_run> runs(std::string_view name) const;

 private:
  std::shared_ptr<internal::simulated_programs> core_;
};

}  // namespace troupe::testing
