#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/io/bytes.hpp>
#include <troupe/io/process_options.hpp>
#include <troupe/io/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace troupe::io {

namespace internal {
class launch;
}

// --- what an owner sends to its subprocess; besides `demand`, and `write_eof` for the end of its input ------------------------

/// Bytes for the stdin of the child. Asked, it is answered when they fit into the input window, which is the way to be slowed down
/// by a child that reads slowly; eight windows more may wait so, and a further ask fails with std::errc::no_buffer_space. Told
/// beyond the window, the child is ended with that.
/// Errors, when asked: std::system_error, broken_pipe when the child reads no more; `actor_dead` after its end.
struct input {
  using reply = void;
  explicit input(bytes given) noexcept : chunk(std::move(given)) {}
  explicit input(std::string_view text) : chunk(text) {}
  bytes chunk;
};

/// A signal for the child. The answer is whether it had not ended. Errors: `rejected`, with what the system says.
struct send_signal {
  using reply = bool;
  int number;
};
struct terminate {};  ///< SIGTERM for the child
struct kill {};       ///< SIGKILL for the child

using subprocess = protocol<demand, input, write_eof, send_signal, terminate, kill>;

// --- what a subprocess sends to its owner -----------------------------------------------------------------------------

/// The child runs.
struct started {
  actor_ref<subprocess> from;
  int pid;
};

enum class output_stream : std::uint8_t { output = 1, errors = 2 };

/// What the child has written, within the credit that `demand` gave; both streams share it.
struct output {
  actor_ref<subprocess> from;
  output_stream which;
  bytes chunk;
};

/// The child, and whoever else had it, has closed one of its streams. Needs no credit.
struct end_of_output {
  actor_ref<subprocess> from;
  output_stream which;
};

/// The child has ended; output may still come, if it left some. No returncode: its status was lost, see `status_lost`.
struct exited {
  actor_ref<subprocess> from;
  std::optional<int> returncode;
};

/// The last word of every subprocess, once, whatever happened, unless it was killed: then only a monitor tells, and the child is ended
/// in the background. No reason: the child has ended, and its output too.
/// timed_out: somebody it had started held its output open, `drain_timeout` after its end; operation_canceled: this actor was stopped;
/// no_buffer_space: see `input`.
struct finished {
  actor_ref<subprocess> from;
  std::optional<int> returncode;
  std::error_code reason;
};

using subprocess_events = protocol<started, output, end_of_output, exited, finished>;

/// A program and how it is to be run, to be passed on: nothing in it refers to what may have gone.
class command {
 public:
  /// Errors: std::invalid_argument, as of `subprocess_exec`.
  explicit command(std::string program, std::vector<std::string> arguments = {},
                   const process_options& options = {});
  /// For /bin/sh.
  static command shell(std::string text, const process_options& options = {});

 private:
  friend class subprocess_actor;
  std::shared_ptr<const internal::launch> launch_;
};

/// Which end of its program is a crash of a `subprocess_actor`, after its last word.
enum class bad_end : std::uint8_t {
  none,       ///< however the program ends, the actor has done its work
  by_signal,  ///< that by a signal, whoever sent it
  failure     ///< that too, any exit status but 0, and one that was lost
};

/// What such an actor has crashed with: its monitors and its supervisor hear of it.
struct subprocess_failed : std::runtime_error {
  subprocess_failed(const std::string& what, std::optional<int> how)
      : std::runtime_error(what), returncode(how) {}
  std::optional<int> returncode;
};

struct subprocess_actor_options {
  std::size_t input_window = std::size_t{1} << 20;   ///< bytes of input not yet sent, at most
  std::size_t largest_chunk = std::size_t{1} << 16;  ///< bytes of one `output`, at most
  /// How long output is waited for after the child has ended, while nothing comes.
  duration drain_timeout = std::chrono::seconds(2);
  /// For `supervise`: a crash is what `restart::transient` restarts, and what is counted and reported as such.
  bad_end crash_when = bad_end::none;
};

/// An actor that owns a child process and speaks `subprocess` to its owner.
///
///     sorter_ = spawn<io::subprocess_actor>(io::command("sort", {}, {.input = io::stdio::pipe, .output = io::stdio::pipe}), self());
///     sorter_.tell(io::demand{64 << 10});
///
/// Life: from `spawn` to exactly one `finished`. `exited` and the `end_of_output`s come before it, in any order. Stopped, it ends the
/// child's group, with SIGTERM and after `process_options::grace` with SIGKILL, collects it, and then says `exited` and `finished`.
/// Supervised, each restart is another child and begins with `started`; credit and input are given anew.
/// Invariants: `output` never exceeds the credit. Without credit at most 4 KiB of each stream are held, by which it knows of the end.
/// Errors: the constructor throws `spawn_error`, std::invalid_argument without an owner.
class subprocess_actor : public actor<subprocess> {
 public:
  subprocess_actor(command wanted, actor_ref<subprocess_events> owner,
                   subprocess_actor_options options = {});
  ~subprocess_actor();

  void on_start();
  void on(demand more);
  void on(input i, reply_to<void> accepted);
  void on(write_eof);
  bool on(send_signal s);
  void on(terminate);
  void on(kill);
  coro<> on_stop();

 private:
  class runner;
  std::unique_ptr<runner> runner_;
};

}  // namespace troupe::io
