#include <troupe/io/internal/file_calls.hpp>
#include <troupe/io/internal/file_core.hpp>
#include <troupe/io/internal/output_lease.hpp>
#include <troupe/io/internal/stream_core.hpp>
#include <troupe/io/send_file.hpp>
#include <troupe/io/socket.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/task.hpp>

#include <fcntl.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace troupe::io {

namespace internal {

// --- the right to write past a stream ---------------------------------------------------------------------------------

output_lease::output_lease(stream_core& of) noexcept : core_(&of) { of.lease(this); }

output_lease::~output_lease() {
  // Elsewhere than on its loop only when that has closed, and with it the stream.
  if (loop::current() == nullptr) return;
  over->set();
  if (core_ != nullptr) core_->end_lease();
}

void output_lease::take_away(std::exception_ptr why) {
  core_ = nullptr;
  ended_by_ = std::move(why);
  changed.set();
}

void stream_core::expect_open_for_output() const {
  if (const std::exception_ptr lost = loss()) std::rethrow_exception(lost);
  if (closing_) std::rethrow_exception(closed_error());
  if (write_ended_) throw invalid_state("a file was to be sent into a stream after write_eof");
}

void stream_core::end_lease() noexcept {
  lease_ = nullptr;
  if (closed_) return;
  if (out_ == nullptr) all_sent();
  flush();
  if (dropped_ && closed_) delete this;
}

namespace {

constexpr std::size_t most_at_once = std::size_t{1} << 22;  // then others get the thread
constexpr std::size_t copied_at_once = std::size_t{1} << 16;

/// What came of one go.
struct sent_part {
  std::uint64_t bytes = 0;
  bool blocked = false;  ///< the socket takes no more now
  bool ended = false;    ///< the file does
  bool refused = false;  ///< the system does not do it with this file
};

sent_part send_part(int socket, const file_core& from, std::uint64_t offset, std::uint64_t count,
                    const file_job& job) {
  sent_part sent;
  while (sent.bytes < count && sent.bytes < most_at_once && !job.stopped()) {
    auto at = static_cast<off_t>(offset + sent.bytes);
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(count - sent.bytes, most_at_once));
    const ssize_t put = ::sendfile(socket, from.native(), &at, wanted);
    if (put > 0) {
      sent.bytes += static_cast<std::uint64_t>(put);
    } else if (put == 0) {
      sent.ended = true;
      break;
    } else if (errno == EAGAIN) {
      sent.blocked = true;
      break;
    } else if ((errno == EINVAL || errno == ENOSYS || errno == EOVERFLOW) && sent.bytes == 0) {
      sent.refused = true;
      break;
    } else if (errno != EINTR) {
      throw_file_error(errno, "sending", from.path());
    }
  }
  return sent;
}

/// Waits until all that was written has gone, and no other file is being sent.
coro<std::shared_ptr<output_lease>> take_output(stream& of) {
  while (output_lease* const others = stream_access::core(of).lease()) {
    const std::shared_ptr<event> over = others->over;
    co_await over->wait();
  }
  stream_core& core = stream_access::core(of);
  core.expect_open_for_output();
  auto mine = std::make_shared<output_lease>(core);
  while (core.unsent() != 0) {
    mine->changed.clear();
    co_await mine->changed.wait();
    mine->expect_open();
  }
  core.expect_open_for_output();
  mine->begin();
  co_return mine;
}

/// Sends what the system does by itself; less than was wanted when it refuses, with `refused`.
coro<std::uint64_t> send_past(stream& to, core_hold from, std::uint64_t offset, std::uint64_t count,
                              bool& refused) {
  const std::shared_ptr<output_lease> lease = co_await take_output(to);
  // A number of its own: the stream may be closed while a thread is in the system.
  const auto socket = std::make_shared<descriptor>(
      ::fcntl(stream_access::core(to).wire().output(), F_DUPFD_CLOEXEC, 0));
  refused = !*socket;  // no descriptor is left
  std::uint64_t done = 0;
  while (!refused && done < count) {
    from->expect_readable();
    lease->changed
        .clear();  // before: the socket may have room again while the result is on its way
    file_call call([use = file_use(*from), lease, socket, at = offset + done,
                    left = count - done](const file_job& job) {
      return send_part(socket->get(), *use, at, left, job);
    });
    const sent_part sent = co_await call;
    lease->expect_open();
    done += sent.bytes;
    refused = sent.refused;
    if (sent.ended) break;
    if (sent.blocked) co_await lease->changed.wait();
    lease->expect_open();
  }
  co_return done;
}

coro<std::uint64_t> send_copied(stream& to, file& from, std::uint64_t offset, std::uint64_t count) {
  std::uint64_t done = 0;
  while (done < count) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(count - done, copied_at_once));
    bytes part = co_await from.read_at(offset + done, wanted);
    if (part.empty()) break;
    done += part.size();
    to.write(std::move(part));
    co_await to.drain();
  }
  co_return done;
}

}  // namespace
}  // namespace internal

coro<std::uint64_t> send_file(stream& to, file& from, std::uint64_t offset, std::uint64_t count) {
  using namespace internal;
  from.core().expect_readable();
  stream_access::core(to).expect_open_for_output();
  constexpr auto last = static_cast<std::uint64_t>(INT64_MAX);
  if (offset > last) throw_file_error(EINVAL, "sending", from.path());
  count = std::min(count, last - offset);
  std::uint64_t done = 0;
  // On the loop itself, where virtual time has its calls made, sendfile would raise SIGPIPE.
  const bool past = stream_access::core(to).wire().output() >= 0 && !loop::current()->is_virtual();
  if (past) {
    bool refused = false;
    done = co_await send_past(to, core_hold(from.core()), offset, count, refused);
    if (!refused) co_return done;
  }
  const std::uint64_t rest = co_await send_copied(to, from, offset + done, count - done);
  co_return done + rest;
}

}  // namespace troupe::io
