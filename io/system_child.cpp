#include <troupe/io/internal/child.hpp>
#include <troupe/io/internal/pipe_transport.hpp>
#include <troupe/io/internal/system_child.hpp>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <utility>

namespace troupe::io::internal {

namespace {

constexpr int at_once_ms = 5000;      // after SIGKILL, for a child whose loop closes
constexpr unsigned to_the_group = 4;  // PIDFD_SIGNAL_PROCESS_GROUP, from Linux 6.9 on

/// Whether the system signals a group by its handle. Until it refuses to, it is taken for one that does.
std::atomic<bool> groups_by_handle{true};

}  // namespace

started_child system_child::start(const launch& wanted, spawn_stack& stack) {
  // What it takes to follow the child is there before the child is.
  auto body = std::make_unique<system_child>(wanted.group() != process_group::same);
  spawned made = spawn(wanted, stack);
  body->pid_ = made.pid;
  body->handle_ = std::move(made.handle);
  body->unsettled_ = true;
  started_child result;
  for (std::size_t index = 0; index < made.pipes.size(); ++index) {
    if (!made.pipes[index]) continue;
    descriptor none;
    const bool writes = index == 0;
    result.pipes[index] = writes ? std::make_unique<pipe_transport>(
                                       std::move(none), std::move(made.pipes[index]), "pipe")
                                 : std::make_unique<pipe_transport>(std::move(made.pipes[index]),
                                                                    std::move(none), "pipe");
  }
  result.body = std::move(body);
  return result;
}

system_child::~system_child() {
  if (!unsettled_) return;
  // Something failed after its start. Nobody else collects it, so its number is still its own.
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void system_child::attach(child_body::listener& told) {
  told_ = &told;
  watch_.emplace(*loop::current(), static_cast<poller::listener&>(*this), std::move(handle_),
                 EPOLLIN | EPOLLET);
}

int system_child::signal(int number) noexcept {
  if (!unsettled_) return ESRCH;
  return ::syscall(SYS_pidfd_send_signal, handle(), number, nullptr, 0U) == 0 ? 0 : errno;
}

int system_child::signal_group(int number) noexcept {
  if (handle() < 0) return ESRCH;
  if (groups_by_handle) {
    if (::syscall(SYS_pidfd_send_signal, handle(), number, nullptr, to_the_group) == 0) return 0;
    if (errno != EINVAL) return errno;
    groups_by_handle = false;
  }
  // The number of a group is safe only as long as its leader has not been collected.
  if (const int error = signal(0)) return error;
  return ::kill(-pid_, number) == 0 ? 0 : errno;
}

bool system_child::group_lives() noexcept { return internal::group_lives(pid_); }

bool system_child::collect(std::optional<int>& returncode, bool group_ends) noexcept {
  // On a system that will not do it later, the rest of a group that is to end does so with its leader.
  if (group_ends && !groups_by_handle) static_cast<void>(signal_group(SIGKILL));
  siginfo_t found{};
  int result = 0;
  do {
    result = ::waitid(static_cast<idtype_t>(3) /* P_PIDFD */, static_cast<id_t>(handle()), &found,
                      WEXITED | WNOHANG);
  } while (result < 0 && errno == EINTR);
  if (result == 0 && found.si_pid == 0) return false;
  if (result == 0) returncode = found.si_code == CLD_EXITED ? found.si_status : -found.si_status;
  unsettled_ = false;
  if (watch_) handle_ = watch_->release();
  watch_.reset();
  if (!own_group_) handle_.close();
  return true;
}

void system_child::wait_for_end() noexcept {
  pollfd told{handle(), POLLIN, 0};
  static_cast<void>(::poll(&told, 1, at_once_ms));
}

void system_child::let_go() noexcept {
  unsettled_ = false;
  watch_.reset();
  handle_.close();
}

}  // namespace troupe::io::internal
