#include <troupe/io/internal/child.hpp>
#include <troupe/io/process.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/errors.hpp>

#include <csignal>
#include <utility>

namespace troupe::io {

process::process(std::shared_ptr<internal::child> started) noexcept : child_(std::move(started)) {}

process::~process() {
  if (child_ != nullptr) child_->drop();
}

namespace {

internal::child& checked(const std::shared_ptr<internal::child>& held) {
  expects(held != nullptr, "a process was used after it had been moved away");
  return *held;
}

stream& stream_of(const std::shared_ptr<internal::child>& held, std::size_t index, const char* name,
                  const char* option) {
  if (stream* const found = checked(held).standard_stream(index)) return *found;
  throw invalid_state(std::string("the ") + name + " of a child is no pipe here: start it with ." +
                      option + " = io::stdio::pipe, and do not use it after it was moved away");
}

coro<process> start(internal::launch wanted) { co_return process(internal::child::start(wanted)); }

/// The child is shared, for the `process` may go meanwhile.
coro<int> stop_child(std::shared_ptr<internal::child> held, duration grace) {
  if (!held->ended() || !held->dropped()) held->end(grace);
  co_return co_await internal::exit_wait(*held);
}

}  // namespace

int process::pid() const noexcept { return checked(child_).pid(); }
stream& process::input() const { return stream_of(child_, 0, "stdin", "input"); }
stream& process::output() const { return stream_of(child_, 1, "stdout", "output"); }
stream& process::errors() const { return stream_of(child_, 2, "stderr", "errors"); }
internal::exit_wait process::wait() { return internal::exit_wait(checked(child_)); }
std::optional<int> process::returncode() const noexcept { return checked(child_).returncode(); }
bool process::ended() const noexcept { return checked(child_).ended(); }
bool process::send_signal(int number) { return checked(child_).send_signal(number); }
bool process::terminate() { return send_signal(SIGTERM); }
bool process::kill() { return send_signal(SIGKILL); }
bool process::signal_group(int number) { return checked(child_).signal_group(number); }
coro<int> process::stop(duration grace) {
  static_cast<void>(checked(child_));
  return stop_child(child_, grace);
}

coro<process> subprocess_exec(std::string program, std::vector<std::string> arguments,
                              const process_options& options) {
  return start(internal::launch(std::move(program), std::move(arguments), options));
}

coro<process> subprocess_shell(std::string command, const process_options& options) {
  if (command.empty())
    throw std::invalid_argument("a subprocess: the command for its shell is empty");
  std::vector<std::string> arguments;
  arguments.reserve(2);
  arguments.emplace_back("-c");
  arguments.push_back(std::move(command));
  return start(internal::launch("/bin/sh", std::move(arguments), options));
}

}  // namespace troupe::io
