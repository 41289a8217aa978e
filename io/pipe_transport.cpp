#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/pipe_transport.hpp>
#include <troupe/io/internal/write_queue.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace troupe::io::internal {

namespace {

constexpr std::uint32_t usual_events = EPOLLIN | EPOLLOUT;

/// Holds SIGPIPE back while this thread writes to what is no socket, for which there is no flag. To ignore the signal would be a change
/// for the whole program, and for the children of those parts of it that know nothing of us. See docs/decisions/0020-subprocesses.md.
class without_sigpipe {
 public:
  without_sigpipe() noexcept {
    ::sigemptyset(&only_);
    ::sigaddset(&only_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &only_, &before_);
  }
  ~without_sigpipe() {
    if (::sigismember(&before_, SIGPIPE) == 1) return;
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;

  /// Takes back the one that a failed write of this thread has raised.
  void swallow() noexcept {
    if (::sigismember(&before_, SIGPIPE) == 1) return;
    const timespec at_once{};
    while (::sigtimedwait(&only_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }

 private:
  sigset_t only_;
  sigset_t before_;
};

ssize_t write_parts(int to, std::span<const std::span<const std::byte>> parts) noexcept {
  if (parts.size() == 1) return ::write(to, parts[0].data(), parts[0].size());
  iovec vectors[write_queue::most_parts];
  const std::size_t count = std::min(parts.size(), write_queue::most_parts);
  for (std::size_t index = 0; index < count; ++index)
    vectors[index] = {const_cast<std::byte*>(parts[index].data()), parts[index].size()};
  return ::writev(to, vectors, static_cast<int>(count));
}

}  // namespace

void pipe_transport::end::attach() {
  if (!unwatched_) return;
  struct stat found{};
  // A device such as /dev/null is always ready, and the system refuses to watch it; who tries to watch it loses it.
  descriptor spare;
  if (::fstat(native(), &found) == 0 && S_ISCHR(found.st_mode))
    spare = descriptor(::fcntl(native(), F_DUPFD_CLOEXEC, 3));
  try {
    watch_.emplace(*loop::current(), static_cast<poller::listener&>(*this), std::move(unwatched_));
  } catch (const std::system_error& error) {
    if (!spare || error.code() != std::errc::operation_not_permitted) throw;
    unwatched_ = std::move(spare);
  }
}

void pipe_transport::end::count(std::size_t bytes) noexcept {
  moved_ += bytes;
  // Refused when the user's share of such memory is used up, and for what is no pipe: then it stays as it is.
  constexpr int larger = 1 << 18;
  if (moved_ >= worth_more && ::fcntl(native(), F_GETPIPE_SZ) < larger)
    static_cast<void>(::fcntl(native(), F_SETPIPE_SZ, larger));
}

void pipe_transport::attach(transport::listener& told) {
  told_ = &told;
  struct stat found{};
  if (in_.native() >= 0 && ::fstat(in_.native(), &found) == 0) is_pipe_ = S_ISFIFO(found.st_mode);
  if (to_write_to() >= 0 && ::fstat(to_write_to(), &found) == 0)
    is_socket_ = S_ISSOCK(found.st_mode);
  in_.attach();
  out_.attach();
}

transfer pipe_transport::read(std::span<std::byte> into) noexcept {
  if (!readable_) return transfer::none_now();
  for (;;) {
    const ssize_t got = ::read(in_.native(), into.data(), into.size());
    if (got >= 0) {
      in_.moved(static_cast<std::size_t>(got));
      readable_ = to_the_end_ || !is_pipe_ || static_cast<std::size_t>(got) == into.size();
      return {static_cast<std::size_t>(got), {}};
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      readable_ = false;
      return transfer::none_now();
    }
    // What a terminal says whose other side has gone.
    if (errno == EIO && ::isatty(in_.native()) == 1) return {};
    return {0, last_error()};
  }
}

transfer pipe_transport::write(std::span<const std::span<const std::byte>> parts) noexcept {
  without_sigpipe held;
  for (;;) {
    const ssize_t sent = write_parts(to_write_to(), parts);
    if (sent >= 0) {
      (both_ ? in_ : out_).moved(static_cast<std::size_t>(sent));
      return {static_cast<std::size_t>(sent), {}};
    }
    const std::error_code error = last_error();
    if (error == std::errc::interrupted) continue;
    if (error == std::errc::resource_unavailable_try_again) return transfer::none_now();
    if (error == std::errc::broken_pipe) held.swallow();
    return {0, error};
  }
}

std::error_code pipe_transport::end_writing() noexcept {
  if (both_) {
    // A terminal has no such thing.
    if (is_socket_ && ::shutdown(in_.native(), SHUT_WR) != 0) return last_error();
    return {};
  }
  if (is_socket_) static_cast<void>(::shutdown(out_.native(), SHUT_WR));
  out_.close();
  return {};
}

void pipe_transport::close(bool) noexcept {
  in_.close();
  out_.close();
}

void pipe_transport::on_events(const end& from, std::uint32_t events) noexcept {
  if (&from == &in_) {
    readable_ = true;
    if ((events & ~usual_events) != 0) to_the_end_ = true;
  }
  told_->on_ready();  // last: this may be gone then
}

}  // namespace troupe::io::internal
