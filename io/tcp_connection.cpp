#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/tcp.hpp>

#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <optional>

namespace troupe::io {

namespace {
constexpr std::size_t first_chunk = 2048;
constexpr std::size_t least_chunk = 256;
constexpr std::size_t reads_per_notice = 4;   // then other connections get theirs
constexpr std::size_t buffers_per_send = 16;

std::exception_ptr failed_write(std::error_code reason) {
  return std::make_exception_ptr(std::system_error(reason, "writing to a connection"));
}
}  // namespace

/// The socket of a connection, and what is on its way in and out.
class tcp_connection::transport final : private internal::poller::listener {
 public:
  transport(tcp_connection& self, socket connected, actor_ref<connection_events> owner,
            const connection_options& options)
      : self_(self),
        owner_(std::move(owner)),
        options_(options),
        watch_(*loop::current(), *this, connected.release()) {
    const int on = options.nodelay ? 1 : 0;
    // Failing, it costs delay and nothing else; a Unix socket passed in here has no such option.
    static_cast<void>(::setsockopt(watch_.native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  }

  // --- reading ---

  void add_credit(std::size_t bytes) {
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
      if (!send_directly(chunk)) return;
      if (chunk.empty()) {
        accepted.answer();
        owner_.tell(drained{self_.self(), size});
        return;
      }
      backlog_ = std::make_unique<backlog>();
      backlog_->flushed = size - chunk.size();
    }
    // A chunk that alone exceeds the window is let in when nothing is before it, or it could never be sent.
    if (chunk.empty()) {
      accepted.answer();
    } else if (backlog_->waiting.empty() && fits(chunk)) {
      enqueue(std::move(chunk));
      accepted.answer();
    } else if (accepted) {
      backlog_->waiting.push_back({std::move(chunk), std::move(accepted)});
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
    close_wanted_ = true;
    end_writing();
  }

  /// Closes and says so. Once; later calls do nothing.
  void end(std::error_code reason) noexcept {
    if (!std::exchange(open_, false)) return;
    if (reason) reset_on_close();
    watch_.close();
    const std::error_code why = reason ? reason : std::make_error_code(std::errc::operation_canceled);
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
    std::deque<bytes> queue;            ///< accepted, within the window
    std::size_t queued = 0;             ///< bytes in it
    std::deque<waiting_write> waiting;  ///< asked writes that do not fit yet
    std::size_t flushed = 0;            ///< bytes sent since the last `drained`
  };

  bool fits(const bytes& chunk) const noexcept {
    return backlog_->queue.empty() || backlog_->queued + chunk.size() <= options_.write_window;
  }
  void enqueue(bytes chunk) {
    backlog_->queued += chunk.size();
    backlog_->queue.push_back(std::move(chunk));
  }

  void on_events(std::uint32_t events) noexcept override {
    try {
      if ((events & EPOLLERR) != 0) {
        end(pending_error());
        return;
      }
      if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) peer_ends_ = true;
      if ((events & EPOLLIN) != 0) readable_ = true;
      if ((events & EPOLLOUT) != 0) flush();
      read_some();
    } catch (const std::bad_alloc&) {
      end(std::make_error_code(std::errc::not_enough_memory));
    }
  }

  /// Reads what is there and credit allows, up to a few chunks.
  void read_some() {
    for (std::size_t turn = 0; readable_ && credit_ != 0 && open_ && !peer_ended_; ++turn) {
      if (turn == reads_per_notice) {
        // There is no further notice of what is there already: the rest is read in a later turn.
        self_.self().tell(demand{0});
        return;
      }
      readable_ = read_once();
    }
  }

  std::error_code pending_error() const noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(watch_.native(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    return {error != 0 ? error : ECONNRESET, std::generic_category()};
  }

  /// Returns whether there may be more to read now: a short read of a stream means that there is not, unless its end is
  /// announced.
  bool read_once() {
    const std::size_t wanted = std::min({chunk_size_, credit_, options_.largest_chunk});
    bytes chunk = bytes::with_capacity(wanted);
    const ssize_t got = ::recv(watch_.native(), chunk.room().data(), wanted, 0);
    if (got < 0) {
      if (errno != EAGAIN && errno != EINTR) end(internal::last_error());
      return errno == EINTR;
    }
    if (got == 0) {
      peer_ended_ = true;
      owner_.tell(end_of_data{self_.self()});
      if (shut_) end({});
      return false;
    }
    const auto size = static_cast<std::size_t>(got);
    chunk.grow(size);
    credit_ -= size;
    adapt_chunk(size, wanted);
    // A little in a large buffer is copied, so that an owner who keeps it does not keep the buffer.
    if (size < least_chunk && wanted > 4 * least_chunk) chunk = chunk.copy();
    owner_.tell(data{self_.self(), std::move(chunk)});
    return size == wanted || peer_ends_;
  }

  /// Buffers grow while they are filled and shrink when they are not.
  void adapt_chunk(std::size_t got, std::size_t wanted) noexcept {
    if (got == wanted && wanted == chunk_size_) {
      chunk_size_ = std::min(chunk_size_ * 2, std::max(options_.largest_chunk, least_chunk));
    } else if (got * 4 < chunk_size_) {
      chunk_size_ = std::max(chunk_size_ / 2, least_chunk);
    }
  }

  /// Sends what the system takes and consumes it from `chunk`. Returns false when the connection has failed.
  bool send_directly(bytes& chunk) noexcept {
    while (!chunk.empty()) {
      const ssize_t sent = ::send(watch_.native(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        chunk.consume(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        end(internal::last_error());
        return false;
      }
    }
    return true;
  }

  /// Sends what the system takes of the queue. Returns false when the connection has failed.
  bool send_queue() noexcept {
    std::deque<bytes>& queue = backlog_->queue;
    full_ = false;
    while (!queue.empty()) {
      iovec parts[buffers_per_send];
      const std::size_t count = std::min(queue.size(), buffers_per_send);
      for (std::size_t index = 0; index < count; ++index) {
        parts[index] = {queue[index].data(), queue[index].size()};
      }
      msghdr message{};
      message.msg_iov = parts;
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(watch_.native(), &message, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) {
          full_ = true;
          return true;
        }
        end(internal::last_error());
        return false;
      }
      sent_from_queue(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void sent_from_queue(std::size_t sent) noexcept {
    backlog_->queued -= sent;
    backlog_->flushed += sent;
    while (sent != 0) {
      bytes& first = backlog_->queue.front();
      const std::size_t part = std::min(sent, first.size());
      first.consume(part);
      sent -= part;
      if (first.empty()) backlog_->queue.pop_front();
    }
  }

  void admit_waiting() {
    std::deque<waiting_write>& waiting = backlog_->waiting;
    while (!waiting.empty() && fits(waiting.front().chunk)) {
      waiting_write next = std::move(waiting.front());
      waiting.pop_front();
      enqueue(std::move(next.chunk));
      next.accepted.answer();
    }
  }

  void after_flush() noexcept {
    if (close_wanted_) {
      end({});
    } else if (write_ended_ && !std::exchange(shut_, true)) {
      if (::shutdown(watch_.native(), SHUT_WR) != 0) {
        end(internal::last_error());
      } else if (peer_ended_) {
        end({});
      }
    }
  }

  void reset_on_close() noexcept {
    // The peer of a connection that failed or was given up must not take what it got for all there was.
    const linger at_once{1, 0};
    static_cast<void>(::setsockopt(watch_.native(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  }

  tcp_connection& self_;
  actor_ref<connection_events> owner_;
  connection_options options_;
  internal::watch watch_;
  std::size_t credit_ = 0;
  std::size_t chunk_size_ = first_chunk;
  std::unique_ptr<backlog> backlog_;
  bool open_ = true;
  bool readable_ = false;   ///< there may be something to read; a new notice comes only after it was read
  bool full_ = false;       ///< the system takes no more now; a notice comes when it does
  bool peer_ends_ = false;  ///< the end of data is announced, behind what is still to be read
  bool peer_ended_ = false;
  bool write_ended_ = false;
  bool close_wanted_ = false;
  bool shut_ = false;
};

tcp_connection::tcp_connection(socket connected, actor_ref<connection_events> owner, connection_options options)
    : transport_(std::make_unique<transport>(*this, std::move(connected), std::move(owner), options)) {}

tcp_connection::~tcp_connection() = default;

void tcp_connection::on(demand more) { transport_->add_credit(more.bytes); }
void tcp_connection::on(write w, reply_to<void> accepted) {
  transport_->write(std::move(w.chunk), std::move(accepted));
}
void tcp_connection::on(write_eof) { transport_->end_writing(); }
void tcp_connection::on(close) { transport_->close_when_flushed(); }
void tcp_connection::on(abort) { transport_->end(std::make_error_code(std::errc::connection_aborted)); }
void tcp_connection::on_stop() { transport_->end(std::make_error_code(std::errc::operation_canceled)); }

}  // namespace troupe::io
