#pragma once

#include <troupe/io/process_options.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/waiters.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::io {

namespace internal {

class child;

/// A wait for the end of a child.
class exit_wait final : public suspension, public troupe::internal::chain_link {
 public:
  explicit exit_wait(child& on) noexcept : on_(&on) {}
  exit_wait(exit_wait&&) noexcept = default;
  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  int await_resume();
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "a child to end"; }

 private:
  friend class child;
  child* on_;
  int returncode_ = 0;
  std::exception_ptr error_;
};

}  // namespace internal

/// What `process::communicate` gives.
struct communicated {
  communicated() =
      default;  // no aggregate, which g++ 12 would destroy twice inside of a co_await expression
  std::optional<std::string>
      output;  ///< nothing when it was no pipe, which is not the same as empty
  std::optional<std::string> errors;
  std::optional<int> returncode;  ///< as of `process`; nothing when its status was lost
  bool cut =
      false;  ///< the child had ended, but somebody it had started held its output open: this is what came in time
};

struct communicate_options {
  std::size_t limit = std::size_t{1}
                      << 28;  ///< bytes of its output, and as many of its errors, at most
  /// How long output is waited for after the child has ended.
  duration drain_timeout = std::chrono::seconds(2);
};

/// A child process: asyncio's `Process`.
///
///     io::process child = co_await io::subprocess_exec("wc", io::args("-c"), {.input = io::stdio::pipe, .output = io::stdio::pipe});
///     io::communicated said = co_await troupe::timeout(5s, child.communicate("hello"));
///
/// Life: a `process` that goes, or whose task is cancelled, takes the child with it, and all of its process group that is left: its pipes
/// are closed, it is told SIGTERM, and SIGKILL after `process_options::grace`. Its loop sees to that, and collects its status as soon
/// as it ends: there are no zombies. The shutdown of the runtime waits for it.
/// Returncodes: the exit status, or the negated number of the signal that ended it; as asyncio's.
/// Errors: `status_lost`, of waits, when somebody else has collected the status, or SIGCHLD is ignored. Nothing is made up then.
/// Signals go to the very child that was started, never to another that has got its number.
/// Threads: the loop's on which it was started. Cost: two descriptors of the system's, one of them from the end on, besides its pipes.
class process {
 public:
  explicit process(std::shared_ptr<internal::child> started) noexcept;
  process(process&&) noexcept = default;
  process& operator=(process other) noexcept {
    child_.swap(other.child_);
    return *this;
  }
  ~process();

  int pid() const noexcept;

  /// Its standard streams, where they are pipes; they may be moved away. Errors: `invalid_state` where one is no pipe.
  stream& input() const;
  stream& output() const;
  stream& errors() const;

  /// Waits until it has ended, whoever still holds its pipes, and gives its returncode. Any number may wait.
  /// A child that waits until somebody reads its output never ends; then read it, or `communicate`.
  /// Errors: `status_lost`; `invalid_state` when the `process` goes meanwhile. Cancel: leaves the child alone.
  internal::exit_wait wait();
  /// Nothing while it has not been seen to end, or its status was lost.
  std::optional<int> returncode() const noexcept;
  bool ended() const noexcept;

  /// Sends it a signal. False when it has ended.
  /// Errors: std::invalid_argument for a number that no signal has; std::system_error, such as operation_not_permitted.
  bool send_signal(int number);
  bool terminate();  ///< SIGTERM
  bool kill();       ///< SIGKILL
  /// Sends a signal to its process group, also when it has ended itself (from Linux 6.9 on). False when nobody is left.
  /// Errors: as of `send_signal`; `invalid_state` when it has no group of its own.
  bool signal_group(int number);
  /// Ends its group: SIGTERM now, SIGKILL after `grace`, which may be shorter the second time. Gives its returncode.
  /// Errors: as of `wait`. Cancel: the ending goes on.
  coro<int> stop(duration grace = std::chrono::seconds(3));

  /// Writes `input`, closes the child's stdin, reads its output and errors to their end, and waits for its own: whatever of it is a pipe.
  /// A child that does not read all of its input is no error.
  /// Errors: `too_long` beyond the limit; `invalid_state` while another task communicates; std::invalid_argument for input when its
  /// stdin is no pipe; what a pipe fails with.
  /// Cancel: also by a time limit: nothing is lost, and the child is left alone. Another `communicate` goes on where this one was; what
  /// input it is given follows the rest of the first.
  coro<communicated> communicate(std::string input = {}, communicate_options how = {});

 private:
  std::shared_ptr<internal::child> child_;
};

/// Arguments for a program, for use inside of a co_await expression, where g++ 12 takes no list in braces.
template <std::convertible_to<std::string>... Arguments>
std::vector<std::string> args(Arguments&&... arguments) {
  std::vector<std::string> all;
  all.reserve(sizeof...(arguments));
  (all.emplace_back(std::forward<Arguments>(arguments)), ...);
  return all;
}

/// Starts a program, which is looked for in the PATH of the child's environment unless its name has a slash in it. It gets the standard
/// streams and what `pass` names, and no other descriptor; no signal is blocked or handled in it.
/// Errors: `spawn_error`, which says at which step; std::invalid_argument for what can be no program, argument or setting;
/// `invalid_state` off a loop, or on virtual time without testing::programs. Cancel: there is nothing to wait for; the loop stands still until the child has
/// become the program, some 100 us.
coro<process> subprocess_exec(std::string program, std::vector<std::string> arguments = {},
                              const process_options& options = {});

/// Has /bin/sh carry out a command. Whatever comes from outside has to be quoted for it; `subprocess_exec` needs no quoting.
/// Errors: as of `subprocess_exec`; a command that is not found is a returncode of 127, as the shell has it.
coro<process> subprocess_shell(std::string command, const process_options& options = {});

}  // namespace troupe::io
