#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/runtime/timer.hpp>

#include <algorithm>
#include <stdexcept>

namespace troupe::io {

namespace {
constexpr int accepts_per_notice = 64;  // then others get their turn
constexpr duration first_pause = std::chrono::milliseconds(20);
constexpr duration longest_pause = std::chrono::seconds(1);

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

class tcp_listener::acceptor final : private timer, private internal::poller::listener {
 public:
  acceptor(tcp_listener& self, listening_socket listening, actor_ref<listener_events> owner)
      : timer(&acceptor::on_pause_over),
        self_(self),
        home_(*loop::current()),
        owner_(std::move(owner)),
        local_(listening.local()),
        watch_(home_, *this, listening.release(), EPOLLIN) {}
  ~acceptor() { home_.timers().cancel(*this); }

 private:
  void on_events(std::uint32_t) noexcept override {
    for (int turn = 0; turn < accepts_per_notice; ++turn) {
      internal::address peer;
      descriptor connected(
          ::accept4(watch_.native(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connected) {
        pause_ = first_pause;
        owner_.tell(accepted{socket(std::move(connected), peer.to_endpoint())});
      } else if (errno == EAGAIN) {
        short_of_descriptors_ = false;  // nobody waits any more; the next shortage is another one
        return;
      } else if (is_shortage(errno)) {
        wait_for_better_times(internal::last_error());
        return;
      } else if (!concerns_one_connection(errno)) {
        give_up(internal::last_error());
        return;
      }
    }
  }

  void wait_for_better_times(std::error_code error) noexcept {
    if (!std::exchange(short_of_descriptors_, true)) {
      home_.report(
          {"the listener on " + local_.text() + " cannot accept connections and tries again soon",
           std::make_exception_ptr(std::system_error(error, "accept"))});
    }
    // A notice that cannot be acted upon would come again at once.
    watch_.pause();
    home_.timers().arm(*this, troupe::internal::saturating_add(home_.time(), pause_));
    pause_ = std::min(pause_ * 2, longest_pause);
  }
  static void on_pause_over(timer& due) noexcept {
    auto& self = static_cast<acceptor&>(due);
    self.watch_.resume(EPOLLIN);
    self.on_events(EPOLLIN);
  }
  void give_up(std::error_code error) noexcept {
    home_.report({"the listener on " + local_.text() + " can accept no more connections and stops",
                  std::make_exception_ptr(std::system_error(error, "accept"))});
    watch_.close();
    self_.stop();
  }

  tcp_listener& self_;
  loop& home_;
  actor_ref<listener_events> owner_;
  endpoint local_;
  internal::watch watch_;
  duration pause_ = first_pause;
  bool short_of_descriptors_ = false;
};

tcp_listener::tcp_listener(listening_socket listening, actor_ref<listener_events> owner) {
  if (!owner)
    throw std::invalid_argument(
        "a tcp_listener needs an owner: somebody has to take the connections");
  acceptor_ = std::make_unique<acceptor>(*this, std::move(listening), std::move(owner));
}

tcp_listener::~tcp_listener() = default;

}  // namespace troupe::io
