#include <troupe/actors/owner_ref.hpp>
#include <troupe/io/internal/datagram_socket.hpp>
#include <troupe/io/internal/udp_core.hpp>
#include <troupe/io/udp_actor.hpp>
#include <troupe/runtime/timer.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <stdexcept>

namespace troupe::io {

namespace {

constexpr std::size_t datagrams_per_turn = 64;  // then others get theirs

/// Errors that say something of one datagram, or of the way to a peer; the socket is as good as before.
bool leaves_socket_usable(const std::error_code& error) noexcept {
  switch (error.value()) {
    case EBADF:
    case ENOTSOCK:
    case EFAULT:
    case EINVAL:
      return false;
    default:
      return true;
  }
}

std::exception_ptr failed_send(std::error_code error) {
  return std::make_exception_ptr(std::system_error(error, "sending a datagram"));
}

std::error_code code_of(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& caught) {
    return caught.code();
  } catch (...) {
    return std::make_error_code(std::errc::not_enough_memory);
  }
}

}  // namespace

/// The socket, what may be received, and what is to be sent.
class udp_actor::transport final : private internal::datagram_socket::listener, private timer {
 public:
  transport(udp_actor& self, udp_socket socket, actor_ref<udp::events> owner,
            udp::actor_options options)
      : timer(&transport::on_close_late),
        self_(self),
        home_(*loop::current()),
        owner_(std::move(owner), self.self()),
        options_(options),
        ipv6_(socket.local().is_ipv6()),
        wire_(socket.release(), socket.largest(), *this) {
    wire_.attach();
  }
  ~transport() { home_.timers().cancel(*this); }

  void add_credit(std::size_t datagrams) {
    if (datagrams == 0) turn_asked_for_ = false;
    credit_ += std::min(datagrams, SIZE_MAX - credit_);
    tell_trouble();
    receive_some();
  }

  void send(udp::send given, reply_to<void> accepted) {
    const bool asked = static_cast<bool>(accepted);
    waiting_send next{std::move(given), std::move(accepted), asked};
    const endpoint* const to = next.what.to ? &*next.what.to : nullptr;
    if (close_wanted_)
      return refuse(next, std::make_exception_ptr(
                              std::system_error(std::make_error_code(std::errc::operation_canceled),
                                                "sending by a UDP actor that closes")));
    if (const std::exception_ptr bad = internal::unsendable(ipv6_, next.what.content.size(), to))
      return refuse(next, bad);
    if (waiting_.empty() && try_to_send(next)) return;
    if (waiting_.size() >= options_.window) drop_withdrawn();
    if (waiting_.size() >= options_.window) {
      ++counts_.refused;
      if (next.asked)
        next.accepted.fail(failed_send(std::make_error_code(std::errc::no_buffer_space)));
      return;
    }
    waiting_.push_back(std::move(next));
    wire_.watch_writing(true);
  }

  udp::counters counts() const noexcept {
    udp::counters all = counts_;
    if (open_) all.dropped = wire_.dropped();
    return all;
  }

  void close_when_sent() {
    if (std::exchange(close_wanted_, true)) return;
    if (waiting_.empty()) return end({});
    if (options_.close_timeout != infinite)
      home_.timers().arm(*this,
                         troupe::internal::saturating_add(home_.time(), options_.close_timeout));
  }

  /// Closes and says so. Once; later calls do nothing.
  void end(std::error_code reason) noexcept {
    if (!open_) return;
    counts_ = counts();
    open_ = false;
    home_.timers().cancel(*this);
    const std::error_code why =
        reason ? reason : std::make_error_code(std::errc::operation_canceled);
    for (waiting_send& each : waiting_)
      if (each.asked) each.accepted.fail(failed_send(why));
    waiting_.clear();
    wire_.close();
    owner_.tell(udp::closed{self_.self(), reason, counts_});
    self_.stop();
  }

 private:
  struct waiting_send {
    udp::send what;
    reply_to<void> accepted;
    bool asked;
  };

  void on_ready() noexcept override {
    try {
      send_waiting();
      receive_some();
    } catch (const std::bad_alloc&) {
      end(std::make_error_code(std::errc::not_enough_memory));
    }
  }
  void on_loop_closed() noexcept override { open_ = false; }

  void receive_some() {
    for (std::size_t turn = 0; credit_ != 0 && open_; ++turn) {
      if (turn == datagrams_per_turn) {
        // There is no further notice of what is there already: the rest is received in a later turn.
        if (!std::exchange(turn_asked_for_, true)) self_.self().tell(udp::demand{0});
        return;
      }
      std::error_code error;
      datagram next;
      if (wire_.receive(next, credit_, error)) {
        --credit_;
        ++counts_.received;
        owner_.tell(udp::received{self_.self(), std::move(next)});
      } else if (error) {
        note_trouble(error);
      } else {
        return;
      }
    }
  }

  /// Returns false when the system is full.
  bool try_to_send(waiting_send& next) {
    std::optional<internal::address> to;
    if (next.what.to) to.emplace(*next.what.to);
    const std::error_code error = wire_.send(next.what.content.span(), to ? &*to : nullptr);
    if (error == std::errc::operation_would_block) return false;
    if (error) {
      refuse(next, failed_send(error));
    } else {
      ++counts_.sent;
      if (next.asked) next.accepted.answer();
    }
    return true;
  }

  void refuse(waiting_send& refused, const std::exception_ptr& why) {
    ++counts_.refused;
    if (refused.asked) {
      refused.accepted.fail(why);
    } else {
      note_trouble(code_of(why));
    }
  }

  void send_waiting() {
    drop_withdrawn();
    while (open_ && !waiting_.empty() && try_to_send(waiting_.front())) waiting_.pop_front();
    if (!open_ || !waiting_.empty()) return;
    wire_.watch_writing(false);
    if (close_wanted_) end({});
  }

  /// Forgets what somebody asked for who has given up.
  void drop_withdrawn() noexcept {
    std::erase_if(waiting_, [](const waiting_send& each) { return each.asked && !each.accepted; });
  }

  void note_trouble(std::error_code error) {
    if (!leaves_socket_usable(error)) return end(error);
    trouble_ = error;
    ++troubles_;
    tell_trouble();
  }
  void tell_trouble() {
    if (troubles_ == 0 || credit_ == 0 || !open_) return;
    --credit_;
    owner_.tell(udp::trouble{self_.self(), trouble_, std::exchange(troubles_, 0)});
  }

  static void on_close_late(timer& due) noexcept {
    static_cast<transport&>(due).end(std::make_error_code(std::errc::timed_out));
  }

  udp_actor& self_;
  loop& home_;
  troupe::internal::owner_ref<udp::events> owner_;
  udp::actor_options options_;
  const bool ipv6_;
  internal::datagram_socket wire_;
  std::size_t credit_ = 0;
  std::deque<waiting_send> waiting_;
  udp::counters counts_;
  std::error_code trouble_;   ///< the last of those not told
  std::size_t troubles_ = 0;  ///< how many they are
  bool open_ = true;
  bool turn_asked_for_ = false;  ///< a notice of its own is under way to it
  bool close_wanted_ = false;
};

udp_actor::udp_actor(udp_socket socket, actor_ref<udp::events> owner, udp::actor_options options) {
  if (!owner)
    throw std::invalid_argument("a udp_actor needs an owner: somebody has to be told what comes");
  transport_ = std::make_unique<transport>(*this, std::move(socket), std::move(owner), options);
}

udp_actor::~udp_actor() = default;

void udp_actor::on(udp::demand more) { transport_->add_credit(more.datagrams); }
void udp_actor::on(udp::send s, reply_to<void> accepted) {
  transport_->send(std::move(s), std::move(accepted));
}
udp::counters udp_actor::on(udp::count) { return transport_->counts(); }
void udp_actor::on(udp::close) { transport_->close_when_sent(); }
void udp_actor::on_stop() { transport_->end(std::make_error_code(std::errc::operation_canceled)); }

}  // namespace troupe::io
