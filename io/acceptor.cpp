#include <troupe/io/internal/acceptor.hpp>
#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/sockets.hpp>

#include <netinet/tcp.h>

#include <algorithm>

namespace troupe::io::internal {

namespace {

constexpr int accepts_per_notice = 64;  // then others get their turn
constexpr duration first_rest = std::chrono::milliseconds(20);
constexpr duration longest_rest = std::chrono::seconds(1);

/// Errors of one connection that ended before it was accepted; the next one may be fine.
bool concerns_one_connection(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

/// The process or the system has run out of something that others may give back.
bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

acceptor::acceptor(host& told, listening_socket listening)
    : timer(&acceptor::on_pause_over),
      told_(told),
      home_(*loop::current()),
      name_(listening.name()),
      file_(std::move(listening.file_)),
      unix_(listening.is_unix()),
      rest_(first_rest),
      watch_(home_, *this, listening.release(), EPOLLIN) {
  // Those that are accepted have it from here, which saves a call for each.
  const int on = 1;
  if (!unix_)
    static_cast<void>(
        sockets::setsockopt(watch_.native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

void acceptor::pause() noexcept {
  if (std::exchange(paused_, true)) return;
  if (!resting_) watch_.pause();
}

void acceptor::resume() noexcept {
  if (!std::exchange(paused_, false)) return;
  if (!resting_) watch_.resume(EPOLLIN);
}

void acceptor::on_events(std::uint32_t) noexcept {
  for (int turn = 0; turn < accepts_per_notice && !paused_; ++turn)
    if (!accept_one()) return;
}

bool acceptor::accept_one() noexcept {
  address peer;
  descriptor connected(sockets::accept(watch_.native(), peer.get(), &peer.size));
  if (connected) {
    rest_ = first_rest;
    told_.on_accepted(unix_ ? socket(std::move(connected))
                            : socket(std::move(connected), peer.to_endpoint()));
    return true;
  }
  if (errno == EAGAIN) {
    short_of_descriptors_ = false;  // nobody waits any more; the next shortage is another one
    return false;
  }
  if (is_shortage(errno)) {
    wait_for_better_times(last_error());
    return false;
  }
  if (concerns_one_connection(errno)) return true;
  give_up(last_error());
  return false;
}

void acceptor::wait_for_better_times(std::error_code error) noexcept {
  if (!std::exchange(short_of_descriptors_, true)) {
    home_.report({"the listener on " + name_ + " cannot accept connections and tries again soon",
                  std::make_exception_ptr(std::system_error(error, "accept"))});
  }
  // A notice that cannot be acted upon would come again at once.
  if (!std::exchange(resting_, true)) watch_.pause();
  home_.timers().arm(*this, troupe::internal::saturating_add(home_.time(), rest_));
  rest_ = std::min(rest_ * 2, longest_rest);
}

void acceptor::on_pause_over(troupe::timer& due) noexcept {
  auto& self = static_cast<acceptor&>(due);
  self.resting_ = false;
  if (self.paused_) return;
  self.watch_.resume(EPOLLIN);
  self.on_events(EPOLLIN);
}

void acceptor::give_up(std::error_code error) noexcept {
  home_.report({"the listener on " + name_ + " can accept no more connections and stops",
                std::make_exception_ptr(std::system_error(error, "accept"))});
  watch_.close();
  told_.on_acceptor_ended(*this);
}

}  // namespace troupe::io::internal
