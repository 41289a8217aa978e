#include <troupe/io/testing/internal/simulated_network.hpp>
#include <troupe/io/testing/internal/virtual_socket.hpp>
#include <troupe/runtime/internal/simulator.hpp>

#include <utility>

namespace troupe::testing::internal {

namespace {

io::endpoint nowhere(bool ipv6) noexcept {
  constexpr std::uint8_t zeros[16] = {};
  return io::endpoint::from_raw(zeros, ipv6, 0, 0);
}

}  // namespace

virtual_socket::virtual_socket(simulated_network& in, int number, std::size_t machine,
                               bool ipv6) noexcept
    : work(&virtual_socket::run_turn),
      net_(in),
      number_(number),
      machine_(machine),
      local_(nowhere(ipv6)) {
  if (auto* const here = troupe::internal::current_simulator()) here->born(*this);
}

// --- addresses --------------------------------------------------------------------------------------------------------

int virtual_socket::bind(const io::endpoint& to) {
  if (bound_) return refuse(EINVAL);
  if (to.is_ipv6() != ipv6()) return refuse(EAFNOSUPPORT);
  if (!is_unspecified(to) && !net_.is_at(machine_, to)) return refuse(EADDRNOTAVAIL);
  if (to.port() != 0 && net_.port_taken(*this, to)) return refuse(EADDRINUSE);
  return bind_somewhere(to);
}

int virtual_socket::bind_somewhere(const io::endpoint& to) {
  const std::uint16_t port = to.port() != 0 ? to.port() : net_.free_port(*this);
  if (port == 0) return refuse(EADDRINUSE);
  local_ = with_port(to, port);
  net_.take_port(*this);
  bound_ = true;
  return 0;
}

void virtual_socket::release_port() {
  if (std::exchange(bound_, false)) net_.give_port_back(*this);
}

// --- watching ---------------------------------------------------------------------------------------------------------

void virtual_socket::watch(loop& home, troupe::internal::poller::listener& told,
                           std::uint32_t events) {
  home_ = &home;
  told_ = &told;
  events_ = events | EPOLLERR | EPOLLHUP;
  if ((ready() & events_) != 0) to_be_told_ = true;
  if (to_be_told_ || has_arrivals()) stir();
}

void virtual_socket::stir() {
  if (!std::exchange(stirred_, true)) net_.stirred(*this);
}

void virtual_socket::settle() {
  stirred_ = false;
  if (told_ != nullptr) {
    if (!std::exchange(queued_, true)) home_->push(*this);
    return;
  }
  // Nobody is told, so there is no turn; who watches later is told of what there is.
  to_be_told_ = false;
  while (has_arrivals()) take_in();
}

void virtual_socket::run_turn(work& item) noexcept {
  static_cast<virtual_socket&>(item).take_turn();
}

void virtual_socket::take_turn() noexcept {
  queued_ = false;
  net_.touched();
  if (told_ == nullptr || home_ != loop::current()) {  // it was closed, or handed on, meanwhile
    stir();
    if (over()) net_.ended(*this);
    return;
  }
  running_ = true;
  if (has_arrivals()) {
    take_in();
    to_be_told_ = true;
  }
  if (std::exchange(to_be_told_, false)) {
    const std::uint32_t found = ready() & events_;
    if (found != 0) told_->on_events(found);  // which may do anything, but this stays
  }
  running_ = false;
  if (told_ != nullptr) {
    const bool level = (events_ & EPOLLET) == 0 && (ready() & events_) != 0;
    if (level) to_be_told_ = true;
    if (level || has_arrivals()) stir();
  }
  if (over()) net_.ended(*this);
}

}  // namespace troupe::testing::internal
