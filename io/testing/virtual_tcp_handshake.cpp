// How a connection of the simulated network comes about.
#include <troupe/io/testing/internal/virtual_tcp.hpp>

#include <algorithm>
#include <utility>

namespace troupe::testing::internal {

// --- asking -----------------------------------------------------------------------------------------------------------

int virtual_tcp::connect(const io::endpoint& to) {
  if (state_ == state::open) return refuse(EISCONN);
  if (state_ == state::connecting) return refuse(EALREADY);
  if (state_ == state::listening) return refuse(EINVAL);
  if (to.is_ipv6() != ipv6()) return refuse(EAFNOSUPPORT);
  if (to.port() == 0) return refuse(ECONNREFUSED);
  const std::optional<io::endpoint> from = net_.source(machine(), to);
  if (!from) return refuse(ENETUNREACH);
  if (!bound() && bind_somewhere(*from) != 0) return -1;
  if (is_unspecified(local())) set_local(with_port(*from, local().port()));
  // 0.0.0.0 is this machine.
  remote_ = is_unspecified(to) ? with_port(*net_.source(machine(), to), to.port()) : to;
  if (!net_.machine_of(machine(), remote_)) return refuse(EHOSTUNREACH);
  link_ = &net_.link_between(local(), remote_);
  state_ = state::connecting;
  using event = simulated_network::event;
  net_.later(net_.options().connect_timeout, event::connect_timeout, number());
  if (net_.fault(1) != 0) {
    comes(kind::reset);
  } else {
    net_.later(net_.delay_of(*link_, false), event::asks, number());
  }
  return refuse(EINPROGRESS);
}

/// Its question has come to where it goes.
void virtual_tcp::asks() {
  if (state_ != state::connecting || peer_ != nullptr || !coming_.empty()) return;
  if (severed())  // it will ask again when that has been healed
    return net_.note(local(), remote_, "does not get through, to connect");
  const std::size_t there = *net_.machine_of(machine(), remote_);
  virtual_socket* const found =
      net_.is_down(remote_) ? nullptr : net_.addressee(true, there, remote_, local());
  if (found == nullptr) return comes(kind::reset);
  auto& listening = static_cast<virtual_tcp&>(*found);
  if (listening.waiting_.size() + listening.asked_.size() > listening.backlog_) {
    net_.later(std::exchange(retry_, retry_ * 2), simulated_network::event::asks, number());
    return;
  }
  virtual_tcp& made = net_.make_connection(there, ipv6());
  made.set_local(remote_);
  made.remote_ = local();
  made.link_ = link_;
  made.reuses_address = listening.reuses_address;
  made.state_ = state::open;
  made.listener_ = &listening;
  made.peer_ = this;
  peer_ = &made;
  listening.asked_.push_back(&made);
  comes(kind::opened);
}

/// The other has answered: it is connected. Or the one who asked has, to this answer: it can be accepted.
void virtual_tcp::opened() {
  if (state_ == state::connecting) {
    state_ = state::open;
    // It may have gone since it answered; what it sent then is behind this.
    if (peer_ != nullptr) peer_->comes(kind::opened);
    return;
  }
  if (listener_ == nullptr) return;
  ++net_.traffic.connections;
  std::erase(listener_->asked_, this);
  listener_->waiting_.push_back(this);
  net_.note(remote_, local(), "connects");
  listener_->notify();
}

void virtual_tcp::connect_timed_out() {
  if (state_ != state::connecting) return;
  net_.note(local(), remote_, "is given up");
  die(ETIMEDOUT);
}

// --- listening --------------------------------------------------------------------------------------------------------

int virtual_tcp::listen(int backlog) {
  if (state_ != state::fresh && state_ != state::listening) return refuse(EINVAL);
  if (!bound() && bind_somewhere(local()) != 0) return -1;
  if (state_ == state::fresh && net_.port_taken(*this, local())) return refuse(EADDRINUSE);
  state_ = state::listening;
  backlog_ = static_cast<std::size_t>(std::max(backlog, 0));
  return 0;
}

virtual_socket* virtual_tcp::accept() {
  if (state_ != state::listening) {
    errno = EINVAL;
    return nullptr;
  }
  if (waiting_.empty()) {
    errno = EAGAIN;
    return nullptr;
  }
  virtual_tcp* const first = waiting_.front();
  waiting_.pop_front();
  first->listener_ = nullptr;
  return first;
}

/// One that never was a connection.
void virtual_tcp::forget_half_open() {
  if (listener_ == nullptr || std::erase(listener_->asked_, this) == 0) return;
  listener_ = nullptr;
  set_closed();
  net_.ended(*this);
}

/// Who has not been accepted is reset.
void virtual_tcp::close_listening() {
  state_ = state::dead;
  for (auto* const all : {&waiting_, &asked_}) {
    for (virtual_tcp* const each : std::exchange(*all, {})) {
      each->listener_ = nullptr;
      each->resets_on_close = true;
      each->close();
    }
  }
  net_.ended(*this);
}

}  // namespace troupe::testing::internal
