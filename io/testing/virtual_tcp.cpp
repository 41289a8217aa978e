// What is written and read over a connection of the simulated network; how one comes about is in virtual_tcp_handshake.cpp.
#include <troupe/io/testing/internal/virtual_tcp.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::testing::internal {

// --- the calls --------------------------------------------------------------------------------------------------------

ssize_t virtual_tcp::receive(void* into, std::size_t size, int flags) {
  std::size_t got = 0;
  while (got != size && !arrived_.empty()) {
    piece& first = arrived_.front();
    const std::size_t part = std::min(size - got, first.content.size() - first.at);
    // With MSG_TRUNC they are thrown away.
    if ((flags & MSG_TRUNC) == 0)
      std::memcpy(static_cast<char*>(into) + got, first.content.data() + first.at, part);
    got += part;
    first.at += part;
    if (first.at == first.content.size()) arrived_.pop_front();
  }
  if (got != 0) {
    arrived_size_ -= got;
    net_.traffic.bytes += got;
    acknowledge();
    return static_cast<ssize_t>(got);
  }
  if (ended_ || size == 0) return 0;
  if (error_ != 0) return refuse(take_error());
  if (state_ == state::dead) return 0;
  return refuse(state_ == state::open || state_ == state::connecting ? EAGAIN : ENOTCONN);
}

ssize_t virtual_tcp::send(std::span<const iovec> parts, const io::endpoint*) {
  if (error_ != 0) return refuse(take_error());
  if (state_ == state::connecting) return refuse(EAGAIN);
  if (state_ != state::open || end_wanted_) return refuse(EPIPE);
  std::size_t wanted = 0;
  for (const iovec& each : parts) wanted += each.iov_len;
  std::size_t taken = squeezed_ ? 0 : std::min(wanted, room());
  if (const std::size_t less = net_.shortened(taken, true); less != taken) {
    taken = less;
    squeezed_ = true;
    stir();
  }
  if (taken != wanted) full_ = true;
  if (taken == 0 && wanted != 0) return refuse(EAGAIN);
  keep(parts, taken);
  switch (peer_ != nullptr && taken != 0 ? net_.fault(2) : 0) {
    case 1:
      ++net_.traffic.resets;
      net_.note(local(), remote_, "is lost, and the connection reset", unsent_.back());
      cut();
      break;
    case 2:
      net_.note(local(), remote_, "is held up", unsent_.back());
      peer_->last_due_ = std::max(peer_->last_due_, net_.now()) + net_.options().outage;
      break;
    default:
      break;
  }
  transmit();
  return static_cast<ssize_t>(taken);
}

void virtual_tcp::keep(std::span<const iovec> parts, std::size_t size) {
  std::string all;
  all.reserve(size);
  for (const iovec& each : parts)
    all.append(static_cast<const char*>(each.iov_base), std::min(each.iov_len, size - all.size()));
  if (all.empty()) return;
  unsent_size_ += all.size();
  unsent_.push_back(std::move(all));
}

int virtual_tcp::shutdown(int how) {
  if (state_ != state::open) return refuse(ENOTCONN);
  if (how != SHUT_RD) {
    end_wanted_ = true;
    transmit();
  }
  if (how != SHUT_WR) ended_ = true;
  return 0;
}

void virtual_tcp::close() {
  forget();
  set_closed();
  release_port();
  if (state_ == state::listening) return close_listening();
  if (peer_ == nullptr) return net_.ended(*this);
  if (state_ != state::open || resets_on_close || arrived_size_ != 0) {
    peer_->comes(kind::reset);
    die(0);
  } else {
    end_wanted_ = true;
    transmit();
  }
}

std::uint32_t virtual_tcp::ready() const noexcept {
  switch (state_) {
    case state::fresh:
      return EPOLLOUT | EPOLLHUP;
    case state::listening:
      return waiting_.empty() ? 0U : EPOLLIN;
    case state::connecting:
      return 0;
    case state::dead:
      return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | (error_ != 0 ? EPOLLERR : 0U);
    case state::open:
      break;
  }
  std::uint32_t found = error_ != 0 ? EPOLLERR : 0U;
  if (arrived_size_ != 0 || ended_) found |= EPOLLIN;
  if (ended_) found |= EPOLLRDHUP;
  if (end_wanted_ || writable()) found |= EPOLLOUT;
  if (ended_ && end_wanted_) found |= EPOLLHUP;
  return found;
}

// --- what is under way ------------------------------------------------------------------------------------------------

/// A packet that is sent to it.
void virtual_tcp::comes(kind what, std::string content) {
  reset_comes_ = reset_comes_ || what == kind::reset;
  const duration delay = link_ != nullptr ? net_.delay_of(*link_, false) : duration::zero();
  last_due_ = std::max(last_due_, net_.now() + delay);
  coming_size_ += content.size();
  if (severed() && what == kind::data) net_.note(remote_, local(), "does not get through", content);
  coming_.push_back({what, last_due_, std::move(content)});
  if (last_due_ <= net_.now()) {
    stir();
  } else {
    net_.later(last_due_ - net_.now(), simulated_network::event::arrival, number());
  }
  if (peer_ != nullptr) peer_->look_whether_unheard();
}

bool virtual_tcp::has_arrivals() const noexcept {
  return squeezed_ || (!coming_.empty() && coming_.front().due <= net_.now() && !severed());
}

void virtual_tcp::take_in() {
  if (std::exchange(squeezed_, false)) return;
  packet first = std::move(coming_.front());
  coming_.pop_front();
  coming_size_ -= first.content.size();
  switch (first.what) {
    case kind::opened:
      opened();
      break;
    case kind::data:
      take_in_data(std::move(first.content));
      break;
    case kind::end:
      ended_ = true;
      net_.note(remote_, local(), "ends");
      break;
    case kind::reset:
      net_.note(remote_, local(), state_ == state::connecting ? "refuses" : "is reset");
      die(state_ == state::connecting ? ECONNREFUSED : ended_ ? EPIPE : ECONNRESET);
      break;
  }
}

void virtual_tcp::take_in_data(std::string content) {
  if (closed()) {  // nobody will ever read it
    if (peer_ != nullptr) peer_->comes(kind::reset);
    return die(0);
  }
  const std::size_t part = watched() ? net_.shortened(content.size(), false) : content.size();
  if (part != content.size()) {
    coming_size_ += content.size() - part;
    coming_.push_front({kind::data, net_.now(), content.substr(part)});
    content.resize(part);
  }
  net_.note(remote_, local(), {}, content);
  arrived_size_ += content.size();
  arrived_.push_back({std::move(content)});
  acknowledge();
}

std::size_t virtual_tcp::room() const noexcept {
  const std::size_t all = net_.options().send_buffer;
  return all - std::min(all, unsent_size_ + under_way_);
}

/// Sends what the peer has room for.
void virtual_tcp::transmit() {
  if (state_ != state::open) return;
  if (peer_ == nullptr) {
    if (unsent_size_ != 0) nobody_answers();
    unsent_.clear();
    unsent_size_ = 0;
    return;
  }
  const std::size_t window = net_.options().receive_buffer;
  while (unsent_size_ != 0 && window_used_ < window) {
    std::string& first = unsent_.front();
    const std::size_t part = std::min(first.size(), window - window_used_);
    std::string content;
    if (part == first.size()) {
      content = std::move(first);
      unsent_.pop_front();
    } else {
      content = first.substr(0, part);
      first.erase(0, part);
    }
    unsent_size_ -= part;
    under_way_ += part;
    window_used_ += part;
    peer_->comes(kind::data, std::move(content));
  }
  if (unsent_size_ != 0) look_whether_unheard();
  if (!end_wanted_ || end_sent_ || unsent_size_ != 0) return;
  end_sent_ = true;
  peer_->comes(kind::end);
  if (!closed()) return;
  if (coming_size_ != 0) peer_->comes(kind::reset);  // that is how what comes now is answered
  part();
}

/// Tells the sender, in a moment, what has arrived and was read.
void virtual_tcp::acknowledge() {
  if (peer_ == nullptr || peer_->acknowledgement_comes_ || severed()) return;
  if (link_->how.latency == duration::zero()) return peer_->acknowledged();
  peer_->acknowledgement_comes_ = true;
  net_.later(link_->how.latency, simulated_network::event::acknowledged, peer_->number());
}

void virtual_tcp::acknowledged() {
  acknowledgement_comes_ = false;
  if (peer_ == nullptr || severed()) return;
  under_way_ = peer_->coming_size_;
  window_used_ = under_way_ + peer_->arrived_size_;
  transmit();
  if (full_ && writable()) {
    full_ = false;
    notify();
  }
}

/// What it sends gets to somebody who knows nothing of it.
void virtual_tcp::nobody_answers() {
  if (!reset_comes_) comes(kind::reset);
  look_whether_unheard();
}

// --- the end ----------------------------------------------------------------------------------------------------------

void virtual_tcp::die(int error) {
  if (state_ == state::connecting && peer_ != nullptr) peer_->forget_half_open();
  forget_half_open();
  // What the other has sent, or still wants to, is answered in its name.
  virtual_tcp* const other = peer_;
  const bool unanswered = other != nullptr && (coming_size_ != 0 || other->unsent_size_ != 0);
  state_ = state::dead;
  error_ = error;
  squeezed_ = false;
  unsent_.clear();
  coming_.clear();
  unsent_size_ = coming_size_ = 0;
  part();
  if (unanswered && other->state_ == state::open) other->nobody_answers();
  notify();
}

/// The two have nothing more to say to each other.
void virtual_tcp::part() {
  virtual_tcp* const other = std::exchange(peer_, nullptr);
  if (over()) net_.ended(*this);
  if (other == nullptr) return;
  other->peer_ = nullptr;
  if (other->closed()) other->die(0);
}

void virtual_tcp::cut() {
  virtual_tcp* const other = peer_;
  part();
  for (virtual_tcp* const each : {this, other}) {
    if (each == nullptr || each->state_ == state::dead) continue;
    each->coming_.clear();
    each->coming_size_ = 0;
    each->last_due_ = net_.now();
    each->comes(kind::reset);
  }
}

// --- partitions -------------------------------------------------------------------------------------------------------

/// What it has sent does not get through: should that go on, it gives up.
void virtual_tcp::look_whether_unheard() {
  if (!unheard() || unheard_since_) return;
  unheard_since_ = net_.now();
  net_.later(net_.options().give_up, simulated_network::event::given_up, number());
}

bool virtual_tcp::unheard() const noexcept {
  if (!severed()) return false;
  return peer_ != nullptr ? unsent_size_ != 0 || !peer_->coming_.empty() : reset_comes_;
}

void virtual_tcp::given_up() {
  if (!unheard() || state_ == state::dead || !unheard_since_) return;
  if (net_.now() < *unheard_since_ + net_.options().give_up) return;  // it has been healed between
  net_.note(local(), remote_, "is given up");
  die(ETIMEDOUT);
}

void virtual_tcp::link_healed() {
  unheard_since_.reset();
  if (state_ == state::connecting && peer_ == nullptr && coming_.empty()) return asks();
  last_due_ = net_.now();
  for (packet& each : coming_) {
    if (link_ != nullptr) last_due_ = std::max(last_due_, net_.now() + link_->how.latency);
    each.due = std::max(each.due, last_due_);
    last_due_ = each.due;
  }
  if (!coming_.empty())
    net_.later(coming_.front().due - net_.now(), simulated_network::event::arrival, number());
  acknowledge();
}

}  // namespace troupe::testing::internal
