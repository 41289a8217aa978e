#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/coro.hpp>

#include <memory>
#include <vector>

namespace troupe::io {

/// The process has received a signal: once, or several times since the last message of that number. It is asked: the next of the same
/// number comes when the owner has handled this one, so that no flood of signals fills its mailbox.
struct signal_received {
  using reply = void;
  int number;
};

using signal_events = protocol<signal_received>;

/// An actor that turns signals into messages to its owner.
///
///     spawn<io::signal_actor>(std::vector<int>{SIGHUP, SIGTERM}, self());
///     ...
///     void on(io::signal_received s) { s.number == SIGHUP ? reload() : stop(); }
///
/// While it lives these signals have no other effect: SIGINT does not cancel the main task, SIGTERM does not end the process. A signal
/// reaches every actor, and every `received_signal`, that waits for it. None is lost between two messages; those that come while one
/// is handled are one.
/// Life: until it is stopped, or its owner has ended; then the signals do again what they did before. A handler that throws,
/// and a mailbox without room, are the owner's affair: the next signal comes all the same.
/// Errors: the constructor throws std::invalid_argument for a number that no signal has, or for none at all; std::system_error for one
/// that cannot be caught, such as SIGKILL; `invalid_state` when another loop of the process handles it.
class signal_actor : public actor<protocol<>> {
 public:
  signal_actor(std::vector<int> signals, actor_ref<signal_events> owner);
  ~signal_actor();

  void on_start();

 private:
  struct source;
  coro<> pass_on(source& from);

  actor_ref<signal_events> owner_;
  std::vector<std::unique_ptr<source>> sources_;
};

}  // namespace troupe::io
