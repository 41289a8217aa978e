#pragma once

#include <troupe/io/internal/connection_core.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <system_error>
#include <utility>

namespace troupe::io::internal {

inline constexpr std::size_t first_chunk = 4096;
inline constexpr std::size_t least_chunk = 256;
inline constexpr std::size_t reads_per_notice = 4;  // then other connections get theirs
inline constexpr std::size_t waiting_windows = 8;   // of asked writes that do not fit yet

/// What an asked write fails with.
std::exception_ptr failed_write(std::error_code reason);
inline std::exception_ptr failed_write(std::errc reason) {
  return failed_write(std::make_error_code(reason));
}

template <class Derived, class Wire>
template <class... Arguments>
connection_core<Derived, Wire>::connection_core(const connection_options& options,
                                                Arguments&&... wire)
    : timer(&connection_core::on_close_late),
      home_(*loop::current()),
      wire_(std::forward<Arguments>(wire)...),
      options_(options),
      chunk_size_(first_chunk) {
  options_.largest_chunk = std::max<std::size_t>(options_.largest_chunk, 1);
  wire_->attach(*this);
}

template <class Derived, class Wire>
connection_core<Derived, Wire>::~connection_core() {
  home_.timers().cancel(*this);
  if (handover_) handover_->first_look.cancel();
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::go_on_after(bytes&& ahead) {
  handover_ = std::make_unique<handover>();
  handover_->ahead = std::move(ahead);
  handover_->first_look = home_.call_soon([this] {
    if (handover_ && handover_->ahead.empty()) handover_.reset();
    if (open_) on_ready();
  });
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::on_ready() noexcept {
  try {
    readable_ = true;
    if (wire_->look().failure) {
      fail(wire_->failure());
      return;
    }
    if (leaving_) return end_well();
    flush();
    read_some();
  } catch (const std::bad_alloc&) {
    end(std::make_error_code(std::errc::not_enough_memory));
  }
}

// --- reading ----------------------------------------------------------------------------------------------------------

template <class Derived, class Wire>
void connection_core<Derived, Wire>::add_credit(std::size_t bytes) {
  if (bytes == 0) turn_asked_for_ = false;
  credit_ += std::min(bytes, SIZE_MAX - credit_);
  read_some();
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::read_some() {
  for (std::size_t turn = 0; readable_ && credit_ != 0 && open_ && !peer_ended_; ++turn) {
    if (turn == reads_per_notice) {
      // There is no further notice of what is there already: the rest is read in a later turn.
      if (!std::exchange(turn_asked_for_, true)) derived().ask_for_turn();
      return;
    }
    readable_ = read_once();
  }
  if (readable_ && credit_ == 0) look_for_end();
}

/// The end of data is no data: once nothing is before it, it needs no credit.
template <class Derived, class Wire>
void connection_core<Derived, Wire>::look_for_end() {
  if (!open_ || peer_ended_ || held_ || (handover_ && !handover_->ahead.empty()) ||
      !wire_->look().end)
    return;
  std::byte next{};
  const transfer read = wire_->read({&next, 1});
  if (read.bytes != 0) {
    held_ = next;
  } else if (read.blocked()) {
    readable_ = false;
  } else if (read.error) {
    end(read.error);
  } else {
    peer_has_ended();
  }
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::peer_has_ended() {
  peer_ended_ = true;
  if (!failed_ && derived().tell_end()) end_is_told();
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::end_is_told() {
  end_told_ = true;
  if (shut_) end_well();
}

/// Ends for an error of the transport's. What came before it, perhaps why the peer gave up, is read as far as there is credit.
template <class Derived, class Wire>
void connection_core<Derived, Wire>::fail(std::error_code reason) {
  failed_ = true;
  while (open_ && credit_ != 0 && !peer_ended_ && read_once()) {
  }
  end(reason);
}

/// Returns whether there may be more to read now.
template <class Derived, class Wire>
bool connection_core<Derived, Wire>::read_once() {
  const std::size_t wanted = std::min({chunk_size_, credit_, options_.largest_chunk});
  bytes chunk = bytes::with_capacity(wanted);
  if (held_) {
    chunk.room().front() = *held_;
    chunk.grow(1);
    held_.reset();
  } else if (handover_) [[unlikely]] {
    take_ahead(chunk);
  }
  transfer read;
  if (!chunk.room().empty()) read = wire_->read(chunk.room());
  chunk.grow(read.bytes);
  const std::size_t size = chunk.size();
  if (size != 0) {
    credit_ -= size;
    adapt_chunk(size, wanted);
    // A little in a large buffer is copied, so that an owner who keeps it does not keep the buffer.
    if (size < least_chunk && wanted > 4 * least_chunk) chunk = chunk.copy();
    derived().tell_data(std::move(chunk));
    if (!open_) return false;
  }
  if (read.bytes != 0 || size == wanted) {
    if (size == wanted) return true;
    const transport::outlook left = wire_->look();
    return left.bytes || left.end;
  }
  if (read.blocked()) return false;
  if (read.error) {
    end(read.error);
  } else {
    peer_has_ended();
  }
  return false;
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::take_ahead(bytes& into) noexcept {
  bytes& ahead = handover_->ahead;
  const std::size_t some = std::min(ahead.size(), into.room().size());
  if (some == 0) return;
  std::memcpy(into.room().data(), ahead.data(), some);
  into.grow(some);
  ahead.consume(some);
  if (ahead.empty()) ahead = bytes();
}

/// Buffers grow while they are filled, in large steps, for each is one more read of what lies there already; and shrink when they are not.
template <class Derived, class Wire>
void connection_core<Derived, Wire>::adapt_chunk(std::size_t got, std::size_t wanted) noexcept {
  if (got == wanted && wanted == chunk_size_) {
    chunk_size_ = std::min(chunk_size_ * 4, std::max(options_.largest_chunk, least_chunk));
  } else if (got * 4 < chunk_size_) {
    chunk_size_ = std::max(chunk_size_ / 2, least_chunk);
  }
}

// --- writing ----------------------------------------------------------------------------------------------------------

template <class Derived, class Wire>
void connection_core<Derived, Wire>::write(bytes&& chunk, reply_to<void>&& accepted) {
  if (write_ended_) {
    accepted.fail(failed_write(std::errc::broken_pipe));
    return;
  }
  const std::size_t size = chunk.size();
  if (!backlog_) {
    if (const std::error_code error = send_directly(chunk)) {
      accepted.fail(failed_write(error));
      fail(error);
      return;
    }
    if (chunk.empty()) {
      accepted.answer();
      derived().tell_drained(size, 1);
      return;
    }
    backlog_ = std::make_unique<backlog>();
    backlog_->flushed = size - chunk.size();
  }
  queue(std::move(chunk), std::move(accepted));
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::queue(bytes&& chunk, reply_to<void>&& accepted) {
  drop_withdrawn();
  // A chunk that alone exceeds the window is let in when nothing is before it, or it could never be sent.
  if (chunk.empty()) {
    ++backlog_->writes;
    accepted.answer();
  } else if (backlog_->waiting.empty() && fits(chunk)) {
    backlog_->queue.push(std::move(chunk));
    ++backlog_->writes;
    accepted.answer();
  } else if (accepted && may_wait(chunk)) {
    backlog_->waiting_bytes += chunk.size();
    backlog_->waiting.push_back({std::move(chunk), std::move(accepted)});
  } else if (accepted) {
    accepted.fail(failed_write(std::errc::no_buffer_space));
  } else {
    end(std::make_error_code(std::errc::no_buffer_space));
  }
}

template <class Derived, class Wire>
bool connection_core<Derived, Wire>::fits(const bytes& chunk) const noexcept {
  return backlog_->queue.empty() || backlog_->queue.size() + chunk.size() <= options_.write_window;
}

template <class Derived, class Wire>
bool connection_core<Derived, Wire>::may_wait(const bytes& chunk) const noexcept {
  return backlog_->waiting.empty() ||
         (backlog_->waiting_bytes + chunk.size()) / waiting_windows <= options_.write_window;
}

/// Sends what the transport takes and consumes it from `chunk`.
template <class Derived, class Wire>
std::error_code connection_core<Derived, Wire>::send_directly(bytes& chunk) noexcept {
  while (!chunk.empty()) {
    const std::span<const std::byte> part = chunk.span();
    const transfer sent = wire_->write({&part, 1});
    chunk.consume(sent.bytes);
    if (sent.bytes != 0) continue;
    return sent.blocked() ? std::error_code() : sent.error;
  }
  return {};
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::flush() {
  if (!open_ || !backlog_) return;
  do {
    if (!send_queue()) return;
    admit_waiting();
    // What was admitted may be taken at once too; only a refusal brings another notice.
  } while (!backlog_->queue.empty() && !full_);
  if (!backlog_->queue.empty()) return;
  derived().tell_drained(backlog_->flushed, backlog_->writes);
  backlog_.reset();
  after_flush();
}

/// Sends what the transport takes of the queue. Returns false when the connection has failed.
template <class Derived, class Wire>
bool connection_core<Derived, Wire>::send_queue() {
  write_queue& queue = backlog_->queue;
  full_ = false;
  while (!queue.empty()) {
    const transfer sent = wire_->write(queue.front().span());
    queue.sent(sent.bytes);
    backlog_->flushed += sent.bytes;
    if (sent.bytes != 0) continue;
    if (!sent.blocked()) {
      fail(sent.error);
      return false;
    }
    full_ = true;
    break;
  }
  return true;
}

/// Forgets writes that nobody waits for any more: those who give up and try again must not make the queue grow.
template <class Derived, class Wire>
void connection_core<Derived, Wire>::drop_withdrawn() noexcept {
  std::deque<waiting_write>& waiting = backlog_->waiting;
  for (; !waiting.empty() && !waiting.front().accepted; waiting.pop_front()) {
    backlog_->waiting_bytes -= waiting.front().chunk.size();
  }
  for (; !waiting.empty() && !waiting.back().accepted; waiting.pop_back()) {
    backlog_->waiting_bytes -= waiting.back().chunk.size();
  }
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::admit_waiting() {
  std::deque<waiting_write>& waiting = backlog_->waiting;
  for (drop_withdrawn(); !waiting.empty() && fits(waiting.front().chunk); drop_withdrawn()) {
    waiting_write next = std::move(waiting.front());
    waiting.pop_front();
    backlog_->waiting_bytes -= next.chunk.size();
    backlog_->queue.push(std::move(next.chunk));
    ++backlog_->writes;
    next.accepted.answer();
  }
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::after_flush() {
  if (close_wanted_) {
    end_well();
  } else if (write_ended_ && !std::exchange(shut_, true)) {
    if (const std::error_code error = wire_->end_writing()) {
      const std::error_code known = wire_->failure();
      fail(known ? known : error);
    } else if (end_told_) {
      end_well();
    }
  }
}

// --- the end ----------------------------------------------------------------------------------------------------------

template <class Derived, class Wire>
void connection_core<Derived, Wire>::end_writing() {
  write_ended_ = true;
  if (open_ && !backlog_) after_flush();
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::close_when_flushed() {
  if (std::exchange(close_wanted_, true)) return;
  end_writing();
  if (open_) give_it_time();
}

/// The end without an error, when the transport has no farewell to send any more.
template <class Derived, class Wire>
void connection_core<Derived, Wire>::end_well() noexcept {
  if (wire_->finish()) return end({});
  leaving_ = true;
  give_it_time();
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::give_it_time() noexcept {
  if (armed() || options_.close_timeout == infinite) return;
  home_.timers().arm(*this, troupe::internal::saturating_add(home_.time(), options_.close_timeout));
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::end(std::error_code reason) noexcept {
  if (!std::exchange(open_, false)) return;
  home_.timers().cancel(*this);
  // The peer of a connection that failed or was given up must not take what it got for all there was.
  wire_->close(static_cast<bool>(reason));
  if (backlog_) {
    const std::error_code why =
        reason ? reason : std::make_error_code(std::errc::operation_canceled);
    for (waiting_write& each : backlog_->waiting) each.accepted.fail(failed_write(why));
    backlog_.reset();
  }
  derived().tell_closed(reason);
}

template <class Derived, class Wire>
void connection_core<Derived, Wire>::on_close_late(timer& due) noexcept {
  static_cast<connection_core&>(due).end(std::make_error_code(std::errc::timed_out));
}

}  // namespace troupe::io::internal
