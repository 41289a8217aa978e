#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/runtime/timer.hpp>

#include <algorithm>

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
    case EOPNOTSUPP: return true;
    default: return false;
  }
}
}  // namespace

class tcp_listener::acceptor final : private timer, private internal::poller::listener {
 public:
  acceptor(listening_socket listening, actor_ref<listener_events> owner)
      : timer(&acceptor::on_pause_over),
        home_(*loop::current()),
        owner_(std::move(owner)),
        local_(listening.local()),
        watch_(home_, *this, listening.release(), EPOLLIN) {}
  ~acceptor() { home_.timers().cancel(*this); }

 private:
  void on_events(std::uint32_t) noexcept override {
    for (int turn = 0; turn < accepts_per_notice; ++turn) {
      internal::address peer;
      descriptor connected(::accept4(watch_.native(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connected) {
        pause_ = first_pause;
        short_of_descriptors_ = false;
        owner_.tell(accepted{socket(std::move(connected), peer.to_endpoint())});
      } else if (errno == EAGAIN) {
        return;
      } else if (!concerns_one_connection(errno)) {
        wait_for_better_times(internal::last_error());
        return;
      }
    }
  }

  void wait_for_better_times(std::error_code error) noexcept {
    if (!std::exchange(short_of_descriptors_, true)) {
      home_.report({"the listener on " + local_.text() + " cannot accept connections and tries again soon",
                    std::make_exception_ptr(std::system_error(error, "accept"))});
    }
    watch_.change(0);
    home_.timers().arm(*this, troupe::internal::saturating_add(home_.now(), pause_));
    pause_ = std::min(pause_ * 2, longest_pause);
  }
  static void on_pause_over(timer& due) noexcept {
    auto& self = static_cast<acceptor&>(due);
    self.watch_.change(EPOLLIN);
    self.on_events(EPOLLIN);
  }

  loop& home_;
  actor_ref<listener_events> owner_;
  endpoint local_;
  internal::watch watch_;
  duration pause_ = first_pause;
  bool short_of_descriptors_ = false;
};

tcp_listener::tcp_listener(listening_socket listening, actor_ref<listener_events> owner)
    : acceptor_(std::make_unique<acceptor>(std::move(listening), std::move(owner))) {}

tcp_listener::~tcp_listener() = default;

}  // namespace troupe::io
