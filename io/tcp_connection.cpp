#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/socket_calls.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/internal/write_queue.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/runtime/timer.hpp>

#include <netinet/tcp.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <stdexcept>

namespace troupe::io {

namespace {
constexpr std::size_t first_chunk = 4096;
constexpr std::size_t least_chunk = 256;
constexpr std::size_t reads_per_notice = 4;  // then other connections get theirs
constexpr std::size_t waiting_windows = 8;   // of asked writes that do not fit yet
// Urgent data is dropped, but a read stops before it, so the connection has to know.
constexpr std::uint32_t watched_events = internal::poller::both_ways | EPOLLPRI;
constexpr std::uint32_t usual_events = EPOLLIN | EPOLLOUT;

std::exception_ptr failed_write(std::error_code reason) {
  return std::make_exception_ptr(std::system_error(reason, "writing to a connection"));
}
}  // namespace

/// The socket of a connection, and what is on its way in and out.
class tcp_connection::transport final : private internal::poller::listener, private timer {
 public:
  transport(tcp_connection& self, socket connected, actor_ref<connection_events> owner,
            const connection_options& options)
      : timer(&transport::on_close_late),
        self_(self),
        home_(*loop::current()),
        owner_(std::move(owner)),
        options_(options),
        watch_(home_, *this, connected.release(), watched_events) {
    options_.largest_chunk = std::max<std::size_t>(options_.largest_chunk, 1);
    const int on = options.nodelay ? 1 : 0;
    // Failing, it costs delay and nothing else; a Unix socket passed in here has no such option.
    static_cast<void>(::setsockopt(watch_.native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  }

  ~transport() { home_.timers().cancel(*this); }

  // --- reading ---

  void add_credit(std::size_t bytes) {
    if (bytes == 0) turn_asked_for_ = false;
    credit_ += std::min(bytes, SIZE_MAX - credit_);
    read_some();
  }

  // --- writing ---

  void write(bytes chunk, reply_to<void> accepted) {
    if (write_ended_) {
      accepted.fail(failed_write(std::make_error_code(std::errc::broken_pipe)));
      return;
    }
    const std::size_t size = chunk.size();
    if (!backlog_) {
      if (const int error = send_directly(chunk)) {
        const std::error_code reason(error, std::generic_category());
        accepted.fail(failed_write(reason));
        fail(reason);
        return;
      }
      if (chunk.empty()) {
        accepted.answer();
        owner_.tell(drained{self_.self(), size});
        return;
      }
      backlog_ = std::make_unique<backlog>();
      backlog_->flushed = size - chunk.size();
    }
    drop_withdrawn();
    // A chunk that alone exceeds the window is let in when nothing is before it, or it could never be sent.
    if (chunk.empty()) {
      accepted.answer();
    } else if (backlog_->waiting.empty() && fits(chunk)) {
      backlog_->queue.push(std::move(chunk));
      accepted.answer();
    } else if (accepted && may_wait(chunk)) {
      backlog_->waiting_bytes += chunk.size();
      backlog_->waiting.push_back({std::move(chunk), std::move(accepted)});
    } else if (accepted) {
      accepted.fail(failed_write(std::make_error_code(std::errc::no_buffer_space)));
    } else {
      end(std::make_error_code(std::errc::no_buffer_space));
      return;
    }
  }

  void flush() {
    if (!open_ || !backlog_) return;
    do {
      if (!send_queue()) return;
      admit_waiting();
      // What was admitted may fit into the system's buffer too; only a full buffer brings another notice.
    } while (!backlog_->queue.empty() && !full_);
    if (!backlog_->queue.empty()) return;
    owner_.tell(drained{self_.self(), backlog_->flushed});
    backlog_.reset();
    after_flush();
  }

  void end_writing() {
    write_ended_ = true;
    if (!backlog_) after_flush();
  }

  void close_when_flushed() {
    if (std::exchange(close_wanted_, true)) return;
    end_writing();
    if (open_ && options_.close_timeout != infinite) {
      home_.timers().arm(*this,
                         troupe::internal::saturating_add(home_.time(), options_.close_timeout));
    }
  }

  /// Closes and says so. Once; later calls do nothing.
  void end(std::error_code reason) noexcept {
    if (!std::exchange(open_, false)) return;
    home_.timers().cancel(*this);
    if (reason) {
      reset_on_close();
    } else if (!peer_ended_) {
      discard_unread();
    }
    watch_.close();
    const std::error_code why =
        reason ? reason : std::make_error_code(std::errc::operation_canceled);
    if (backlog_) {
      for (waiting_write& each : backlog_->waiting) each.accepted.fail(failed_write(why));
      backlog_.reset();
    }
    owner_.tell(closed{self_.self(), reason});
    self_.stop();
  }

 private:
  struct waiting_write {
    bytes chunk;
    reply_to<void> accepted;
  };
  /// What the system has not taken yet. Only while there is some.
  struct backlog {
    internal::write_queue queue;        ///< accepted, within the window
    std::deque<waiting_write> waiting;  ///< asked writes that do not fit yet
    std::size_t waiting_bytes = 0;      ///< bytes in it
    std::size_t flushed = 0;            ///< bytes sent since the last `drained`
  };

  bool fits(const bytes& chunk) const noexcept {
    return backlog_->queue.empty() ||
           backlog_->queue.size() + chunk.size() <= options_.write_window;
  }
  bool may_wait(const bytes& chunk) const noexcept {
    return backlog_->waiting.empty() ||
           (backlog_->waiting_bytes + chunk.size()) / waiting_windows <= options_.write_window;
  }
  void on_events(std::uint32_t events) noexcept override {
    try {
      if ((events & ~usual_events) != 0) {
        read_to_the_end_ = true;
        if ((events & EPOLLERR) != 0) {
          fail(pending_error());
          return;
        }
      }
      if ((events & EPOLLIN) != 0) readable_ = true;
      if ((events & EPOLLOUT) != 0) flush();
      read_some();
    } catch (const std::bad_alloc&) {
      end(std::make_error_code(std::errc::not_enough_memory));
    }
  }

  /// Ends for an error of the system's. What came before it, perhaps why the peer gave up, is read as far as there is credit.
  void fail(std::error_code reason) {
    failed_ = read_to_the_end_ = true;
    while (credit_ != 0 && !peer_ended_ && read_once()) {
    }
    end(reason);
  }

  /// Reads what is there and credit allows, up to a few chunks.
  void read_some() {
    for (std::size_t turn = 0; readable_ && credit_ != 0 && open_ && !peer_ended_; ++turn) {
      if (turn == reads_per_notice) {
        // There is no further notice of what is there already: the rest is read in a later turn.
        if (!std::exchange(turn_asked_for_, true)) self_.self().tell(demand{0});
        return;
      }
      readable_ = read_once();
    }
    if (read_to_the_end_ && credit_ == 0) look_for_end();
  }

  /// The end of data is no data: once nothing is before it, it needs no credit.
  void look_for_end() {
    if (!open_ || peer_ended_) return;
    std::byte next{};
    const ssize_t got = ::recv(watch_.native(), &next, 1, MSG_PEEK);
    if (got == 0) {
      peer_has_ended();
    } else if (got < 0 && errno != EAGAIN && errno != EINTR) {
      end(internal::last_error());
    }
  }

  void peer_has_ended() {
    peer_ended_ = true;
    if (failed_) return;
    owner_.tell(end_of_data{self_.self()});
    if (shut_) end({});
  }

  std::error_code pending_error() const noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(watch_.native(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    return {error != 0 ? error : ECONNRESET, std::generic_category()};
  }

  /// Returns whether there may be more to read now: a short read of a stream means that there is not, unless its end or
  /// urgent data is announced.
  bool read_once() {
    const std::size_t wanted = std::min({chunk_size_, credit_, options_.largest_chunk});
    bytes chunk = bytes::with_capacity(wanted);
    const ssize_t got = ::recv(watch_.native(), chunk.room().data(), wanted, 0);
    if (got < 0) {
      const int error = errno;
      if (error != EAGAIN && error != EINTR) end(internal::last_error());
      return error == EINTR;
    }
    if (got == 0) {
      peer_has_ended();
      return false;
    }
    const auto size = static_cast<std::size_t>(got);
    chunk.grow(size);
    credit_ -= size;
    adapt_chunk(size, wanted);
    // A little in a large buffer is copied, so that an owner who keeps it does not keep the buffer.
    if (size < least_chunk && wanted > 4 * least_chunk) chunk = chunk.copy();
    owner_.tell(data{self_.self(), std::move(chunk)});
    return size == wanted || read_to_the_end_;
  }

  /// Buffers grow while they are filled, in large steps, for each is one more read of what lies there already; and shrink when they are not.
  void adapt_chunk(std::size_t got, std::size_t wanted) noexcept {
    if (got == wanted && wanted == chunk_size_) {
      chunk_size_ = std::min(chunk_size_ * 4, std::max(options_.largest_chunk, least_chunk));
    } else if (got * 4 < chunk_size_) {
      chunk_size_ = std::max(chunk_size_ / 2, least_chunk);
    }
  }

  /// Sends what the system takes and consumes it from `chunk`. Returns the system's error, or 0.
  int send_directly(bytes& chunk) noexcept {
    while (!chunk.empty()) {
      const ssize_t sent = ::send(watch_.native(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        chunk.consume(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        return errno;
      }
    }
    return 0;
  }

  /// Sends what the system takes of the queue. Returns false when the connection has failed.
  bool send_queue() {
    internal::write_queue& queue = backlog_->queue;
    full_ = false;
    while (!queue.empty()) {
      const ssize_t sent = internal::send_parts(watch_.native(), queue.front().span());
      if (sent < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) {
          full_ = true;
          return true;
        }
        fail(internal::last_error());
        return false;
      }
      queue.sent(static_cast<std::size_t>(sent));
      backlog_->flushed += static_cast<std::size_t>(sent);
    }
    return true;
  }

  /// Forgets writes that nobody waits for any more: those who give up and try again must not make the queue grow.
  void drop_withdrawn() noexcept {
    std::deque<waiting_write>& waiting = backlog_->waiting;
    for (; !waiting.empty() && !waiting.front().accepted; waiting.pop_front()) {
      backlog_->waiting_bytes -= waiting.front().chunk.size();
    }
    for (; !waiting.empty() && !waiting.back().accepted; waiting.pop_back()) {
      backlog_->waiting_bytes -= waiting.back().chunk.size();
    }
  }

  void admit_waiting() {
    std::deque<waiting_write>& waiting = backlog_->waiting;
    for (drop_withdrawn(); !waiting.empty() && fits(waiting.front().chunk); drop_withdrawn()) {
      waiting_write next = std::move(waiting.front());
      waiting.pop_front();
      backlog_->waiting_bytes -= next.chunk.size();
      backlog_->queue.push(std::move(next.chunk));
      next.accepted.answer();
    }
  }

  void after_flush() {
    if (close_wanted_) {
      end({});
    } else if (write_ended_ && !std::exchange(shut_, true)) {
      if (::shutdown(watch_.native(), SHUT_WR) != 0) {
        fail(pending_error());
      } else if (peer_ended_) {
        end({});
      }
    }
  }

  /// A socket closed with something unread resets its peer, which then loses what was written and has not arrived.
  void discard_unread() noexcept {
    constexpr std::size_t all = std::size_t{1} << 30;
    for (int turn = 0; turn < 16 && ::recv(watch_.native(), nullptr, all, MSG_TRUNC) > 0; ++turn) {
    }
  }

  void reset_on_close() noexcept {
    // The peer of a connection that failed or was given up must not take what it got for all there was.
    internal::reset_on_close(watch_.native());
  }

  static void on_close_late(timer& due) noexcept {
    static_cast<transport&>(due).end(std::make_error_code(std::errc::timed_out));
  }

  tcp_connection& self_;
  loop& home_;
  actor_ref<connection_events> owner_;
  connection_options options_;
  internal::watch watch_;
  std::size_t credit_ = 0;
  std::size_t chunk_size_ = first_chunk;
  std::unique_ptr<backlog> backlog_;
  bool open_ = true;
  bool readable_ =
      false;  ///< there may be something to read; a new notice comes only after it was read
  bool full_ = false;            ///< the system takes no more now; a notice comes when it does
  bool turn_asked_for_ = false;  ///< a notice of its own is under way to it
  bool read_to_the_end_ =
      false;  ///< the end of data or urgent data is announced, behind what is still to be read
  bool failed_ = false;  ///< the system has told an error: an end of data means nothing any more
  bool peer_ended_ = false;
  bool write_ended_ = false;
  bool close_wanted_ = false;
  bool shut_ = false;
};

namespace {
actor_ref<connection_events> checked(actor_ref<connection_events> owner) {
  if (!owner)
    throw std::invalid_argument(
        "a tcp_connection needs an owner: somebody has to be told what comes");
  return owner;
}
}  // namespace

tcp_connection::tcp_connection(socket connected, actor_ref<connection_events> owner,
                               connection_options options)
    : transport_(std::make_unique<transport>(*this, std::move(connected), checked(std::move(owner)),
                                             options)) {}

tcp_connection::~tcp_connection() = default;

void tcp_connection::on(demand more) { transport_->add_credit(more.bytes); }
void tcp_connection::on(write w, reply_to<void> accepted) {
  transport_->write(std::move(w.chunk), std::move(accepted));
}
void tcp_connection::on(write_eof) { transport_->end_writing(); }
void tcp_connection::on(close) { transport_->close_when_flushed(); }
void tcp_connection::on(abort) {
  transport_->end(std::make_error_code(std::errc::connection_aborted));
}
void tcp_connection::on_stop() {
  transport_->end(std::make_error_code(std::errc::operation_canceled));
}

}  // namespace troupe::io
