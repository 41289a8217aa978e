// The awaiters of a datagram socket, and what stands between them and it.
#include <troupe/io/internal/udp_core.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>

namespace troupe::io::internal {

namespace {

std::exception_ptr closed_error() {
  return std::make_exception_ptr(std::system_error(
      std::make_error_code(std::errc::operation_canceled), "a UDP socket that is closed"));
}

}  // namespace

std::exception_ptr unsendable(bool ipv6, std::size_t size, const endpoint* to) {
  const std::string doing =
      "sending " + std::to_string(size) + " bytes" + (to != nullptr ? " to " + to->text() : "");
  if (size > most_to_send(ipv6))
    return std::make_exception_ptr(std::system_error(
        std::make_error_code(std::errc::message_size),
        doing + ": a datagram holds " + std::to_string(most_to_send(ipv6)) + " at most"));
  if (to != nullptr && to->is_ipv6() != ipv6)
    return std::make_exception_ptr(
        std::system_error(std::make_error_code(std::errc::address_family_not_supported),
                          doing + " over a socket for " + (ipv6 ? "IPv6" : "IPv4")));
  return nullptr;
}

// --- the core ---------------------------------------------------------------------------------------------------------

void udp_core::expect_open() const {
  if (wire.closed()) std::rethrow_exception(closed_error());
}

void udp_core::expect_only_receiver(const receive_wait& receiver) const {
  if (receiver_ != nullptr && receiver_ != &receiver)
    throw invalid_state(
        "two tasks receive from one UDP socket: let one of them pass on what the other needs");
}

std::exception_ptr udp_core::failure(std::error_code error, const std::string& doing) const {
  std::string text = doing;
  if (peer)
    text += (error == std::errc::connection_refused ? ": nobody listens on " : ", connected to ") +
            peer->text();
  return std::make_exception_ptr(std::system_error(error, text));
}

bool udp_core::try_to_send(send_wait& sending) noexcept {
  std::optional<address> to;
  if (sending.to_) to.emplace(*sending.to_);
  const std::error_code error = wire.send(sending.content_, to ? &*to : nullptr);
  if (error == std::errc::operation_would_block) return false;
  if (error) {
    try {
      const std::string where = sending.to_ ? " to " + sending.to_->text() : std::string();
      sending.error_ =
          failure(error, "sending " + std::to_string(sending.content_.size()) + " bytes" + where);
    } catch (...) {
      sending.error_ = std::current_exception();
    }
  }
  return true;
}

bool udp_core::turn_is_over() noexcept {
  constexpr int most = 64;
  if (++received_ <= most) return false;
  received_ = 0;
  return true;
}

void udp_core::on_ready() noexcept {
  received_ = 0;
  while (send_wait* const first = senders_.front()) {
    if (!try_to_send(*first)) break;
    senders_.remove(*first);
    first->wake();
  }
  if (senders_.empty()) wire.watch_writing(false);
  if (receiver_ == nullptr || receiver_->retries_) return;
  receive_wait* const receiver = receiver_;
  if (!receiver->attempt()) return;
  receiver_ = nullptr;
  receiver->go_on();  // whatever it does: this may be gone
}

void udp_core::close(bool goes) noexcept {
  wire.close();
  if (receiver_ == nullptr && senders_.empty()) return;
  const std::exception_ptr error =
      goes ? std::make_exception_ptr(invalid_state("a UDP socket went while a task waited for it"))
           : closed_error();
  if (receiver_ != nullptr) std::exchange(receiver_, nullptr)->end(error);
  while (send_wait* const each = senders_.pop()) each->go_on(error);
}

// --- receiving --------------------------------------------------------------------------------------------------------

receive_wait::~receive_wait() {
  if (suspended() && from_ != nullptr) from_->end_receive(*this);
}

bool receive_wait::await_ready() {
  from_->expect_open();
  from_->expect_only_receiver(*this);
  from_->wire.attach();
  retries_ = from_->turn_is_over();
  return !retries_ && attempt();
}

void receive_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  from_->begin_receive(*this);
  park(handle, here);
  if (retries_ && waiting()) wake_to_retry();
}

bool receive_wait::attempt() noexcept {
  try {
    std::error_code error;
    if (from_->wire.receive(result_, datagram_socket::most_at_once, error)) return true;
    if (!error) return false;
    error_ = from_->failure(error, "receiving");
  } catch (...) {
    error_ = std::current_exception();
  }
  return true;
}

datagram receive_wait::await_resume() {
  if (suspended()) finish();
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  return std::move(result_);
}

bool receive_wait::cancel() noexcept {
  if (from_ != nullptr) from_->end_receive(*this);
  from_ = nullptr;  // which may go before this does
  wake_cancelled();
  return true;
}

void receive_wait::end(std::exception_ptr error) noexcept {
  from_ = nullptr;
  error_ = std::move(error);
  if (!std::exchange(retries_, true)) wake_to_retry();
}

bool receive_wait::retry() noexcept {
  retries_ = false;
  if (from_ == nullptr) return true;
  if (!attempt()) return false;
  from_->end_receive(*this);
  from_ = nullptr;
  return true;
}

// --- sending ----------------------------------------------------------------------------------------------------------

bool send_wait::await_ready() {
  over_->expect_open();
  error_ = unsendable(over_->ipv6, content_.size(), to_ ? &*to_ : nullptr);
  if (error_ != nullptr) return true;
  return !over_->others_send() && over_->try_to_send(*this);
}

void send_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  over_->begin_send(*this);
  park(handle, here);
}

void send_wait::await_resume() {
  if (suspended()) finish();
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

bool send_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

}  // namespace troupe::io::internal
