#include <troupe/io/internal/members_of_loop.hpp>
#include <troupe/io/internal/stream_core.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/task.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::io {

incomplete_read::incomplete_read(std::string partial, std::optional<std::size_t> expected)
    : std::runtime_error(
          "the stream ended after " + std::to_string(partial.size()) + " bytes" +
          (expected ? " of " + std::to_string(*expected) : std::string(", before a separator"))),
      partial_(std::make_shared<const std::string>(std::move(partial))),
      expected_(expected) {}

// --- what users see ---------------------------------------------------------------------------------------------------

stream::stream(std::unique_ptr<transport> wire, const stream_options& options)
    : core_(new internal::stream_core(std::move(wire), options)) {}

stream::stream(pieces taken) : stream(std::move(taken.wire), taken.options) {
  core_->in = std::move(taken.read);
  core_->follow(std::move(taken.notice));
}

void stream::drop() noexcept { core_->drop(); }
bool stream::at_eof() const noexcept { return core().ended() && core().in.empty(); }
void stream::write(bytes chunk) { core().write(std::move(chunk)); }
void stream::write(std::span<const std::byte> chunk) { core().write(chunk); }
void stream::write(std::span<const std::string_view> parts) { core().write(parts); }
void stream::write_eof() { core().write_eof(); }
void stream::set_write_limits(std::optional<std::size_t> high, std::optional<std::size_t> low) {
  if (!high) high = low ? *low * 4 : stream_options().high_water;
  core().set_write_limits(*high, low.value_or(*high / 4));
}
std::size_t stream::unsent() const noexcept { return core().unsent(); }
void stream::close() noexcept { core().close(); }
void stream::abort() noexcept { core().abort(); }
bool stream::is_closing() const noexcept { return core().closing(); }
stream::pieces stream::take_apart() {
  pieces taken = core().take_apart();
  core_ = nullptr;
  return taken;
}
transport& stream::wire() const noexcept { return core().wire(); }
const stream_options& stream::options() const noexcept { return core().options(); }
std::string stream::local_name() const { return core().wire().local_name(); }
std::string stream::peer_name() const { return core().wire().peer_name(); }
int stream::native() const noexcept { return core().wire().native(); }

namespace internal {

/// The streams of one loop: those that are to be closed with it, and those that close by themselves.
class streams_of_loop final : public members_of_loop<stream_core> {
 public:
  void begin_shutdown() override {}
  void insist() override {
    for (stream_core* each = first_; each != nullptr;) {
      stream_core* const next = each->next_;
      if (each->dropped_) {
        each->abort();
        delete each;
      }
      each = next;
    }
  }
  void abandon() noexcept override { insist(); }
  bool finished() const override {
    for (const stream_core* each = first_; each != nullptr; each = each->next_)
      if (each->dropped_) return false;
    return true;
  }
  std::string unfinished() const override {
    std::string names;
    for (const stream_core* each = first_; each != nullptr; each = each->next_)
      if (each->dropped_) names += "\n  a stream to " + each->wire_->peer_name() + ", to be closed";
    return names;
  }
  ~streams_of_loop() override {
    while (first_ != nullptr) first_->home_closes();
  }
};

namespace {

void check_marks(std::size_t high, std::size_t low) {
  if (low > high)
    throw std::invalid_argument("the low-water mark of a stream, " + std::to_string(low) +
                                ", is above the high one, " + std::to_string(high));
}

std::exception_ptr system_error(std::error_code error, const std::string& doing) {
  return std::make_exception_ptr(std::system_error(error, doing));
}

}  // namespace

void check_options(const stream_options& options) {
  check_marks(options.high_water, options.low_water);
  if (options.limit == 0) throw std::invalid_argument("the limit of a stream has to be positive");
}

// --- the core ---------------------------------------------------------------------------------------------------------

stream_core::stream_core(std::unique_ptr<transport> wire, const stream_options& options)
    : timer(&stream_core::on_late),
      wire_(std::move(wire)),
      options_(options),
      home_(&troupe::internal::running_loop("a stream")) {
  check_options(options);
  if (wire_ == nullptr) throw std::invalid_argument("a stream needs a transport");
  wire_->attach(*this);
  kept_by_ = &home_->service<streams_of_loop>();
  kept_by_->add(*this);
}

stream_core::~stream_core() {
  if (home_ == nullptr) return;
  home_->timers().cancel(*this);
  kept_by_->remove(*this);
}

void stream_core::home_closes() noexcept {
  end(true);
  kept_by_->remove(*this);
  home_ = nullptr;
  if (dropped_) delete this;
}

std::exception_ptr stream_core::gone_error() noexcept {
  return std::make_exception_ptr(invalid_state("a stream went while a task waited for it"));
}

std::exception_ptr stream_core::closed_error() noexcept {
  return system_error(std::make_error_code(std::errc::connection_reset), "a stream that is closed");
}

std::exception_ptr stream_core::loss() const noexcept {
  if (!lost_) return nullptr;
  try {
    return system_error(lost_, "a stream to " + wire_->peer_name());
  } catch (...) {  // no memory for the text
    return std::current_exception();
  }
}

void stream_core::on_ready() noexcept {
  if (out_ != nullptr || closing_ || lease_ != nullptr) flush();
  // While it is tried nobody wakes it: what it finds may be the end of the stream.
  if (reader_ != nullptr && !reader_->retries_) {
    read_wait* const reader = std::exchange(reader_, nullptr);
    if (reader->try_now()) {
      reader->go_on();  // whatever it does: this may be gone
      return;
    }
    begin_read(*reader);
    if (had_its_turn()) reader->look_again();
  }
  if (dropped_ && closed_) delete this;
}

void stream_core::on_late(timer& due) noexcept {
  auto& self = static_cast<stream_core&>(due);
  self.lost_ = std::make_error_code(std::errc::timed_out);
  self.end(true);
  if (self.dropped_) delete &self;
}

// --- reading ----------------------------------------------------------------------------------------------------------

void stream_core::adapt(std::size_t got, std::size_t wanted) noexcept {
  // Up in large steps: each is one more read of what lies there already.
  constexpr std::uint32_t least = 512, most = std::uint32_t{1} << 16;
  if (got == wanted && wanted >= chunk_) {
    chunk_ = std::min(chunk_ * 4, most);
  } else if (got * 4 < chunk_) {
    chunk_ = std::max(chunk_ / 2, least);
  }
}

stream_core::more stream_core::read_past(std::span<std::byte> into, std::size_t& got) {
  got = 0;
  if (lost_) return more::failed;
  if (ended_) return more::ended;
  if (reads_ == most_reads) {
    had_its_turn_ = true;
    return more::later;
  }
  const transfer read = wire_->read(into);
  if (read.bytes != 0) {
    ++reads_;
    got = read.bytes;
    return more::some;
  }
  if (read.blocked()) return more::later;
  if (read.error) {
    lose(read.error);
    return more::failed;
  }
  ended_ = true;
  return more::ended;
}

stream_core::more stream_core::read_more(std::size_t room) {
  if (lost_) return more::failed;
  if (ended_) return more::ended;
  const std::size_t wanted = room != 0 ? room : chunk_;
  if (in.room().size() < (room != 0 ? room : std::min(wanted, std::size_t{512}))) {
    bytes larger = bytes::with_capacity(in.size() + std::max(wanted, in.size()));
    if (!in.empty()) std::memcpy(larger.room().data(), in.data(), in.size());
    larger.grow(in.size());
    in.swap(larger);
  }
  std::size_t got = 0;
  const std::span<std::byte> into = in.room();
  const more result = read_past(into, got);
  in.grow(got);
  if (result == more::some) adapt(got, into.size());
  if (in.empty()) in = bytes();
  return result;
}

void stream_core::begin_read(read_wait& reader) noexcept {
  reader_ = &reader;
  reads_ = 0;
}

void stream_core::end_read(read_wait& reader) noexcept {
  if (reader_ == &reader) reader_ = nullptr;
}

/// For who may be inside of a task: the reader looks in its own turn.
void stream_core::wake_reader() noexcept {
  if (reader_ != nullptr) reader_->look_again();
}

// --- writing ----------------------------------------------------------------------------------------------------------

void stream_core::refuse_unwritable(std::size_t size) const {
  if (write_ended_) throw invalid_state("a stream was written to after write_eof");
  if (unsent() != 0 && size > options_.most_unsent - std::min(unsent(), options_.most_unsent))
    throw std::system_error(std::make_error_code(std::errc::no_buffer_space),
                            "a stream to " + wire_->peer_name() + " has " +
                                std::to_string(unsent()) + " unsent bytes: wait for `drain`");
}

write_queue& stream_core::out() {
  if (out_ == nullptr) out_ = std::make_unique<write_queue>();
  return *out_;
}

std::size_t stream_core::send_now(std::span<const std::span<const std::byte>> parts) noexcept {
  if (leased()) return 0;
  const transfer sent = wire_->write(parts);
  if (!sent.error || sent.blocked()) return sent.bytes;
  lose(sent.error);
  std::size_t all = 0;
  for (const auto& part : parts) all += part.size();
  return all;
}

void stream_core::pause_if_full() noexcept {
  if (unsent() > options_.high_water) paused_ = true;
}

void stream_core::write(bytes chunk) {
  expect_writable(chunk.size());
  if (closing_ || closed_ || chunk.empty()) return;
  while (out_ == nullptr && !chunk.empty()) {
    const std::span<const std::byte> part = chunk.span();
    const std::size_t sent = send_now({&part, 1});
    chunk.consume(sent);
    if (sent == 0) break;
  }
  if (chunk.empty()) return;
  out().push(std::move(chunk));
  pause_if_full();
}

void stream_core::write(std::span<const std::byte> left) {
  expect_writable(left.size());
  if (closing_ || closed_) return;
  while (out_ == nullptr && !left.empty()) {
    const std::size_t sent = send_now({&left, 1});
    left = left.subspan(sent);
    if (sent == 0) break;
  }
  if (left.empty()) return;
  out().push(left.data(), left.size());
  pause_if_full();
}

void stream_core::write(std::span<const std::string_view> parts) {
  std::size_t all = 0;
  for (const std::string_view part : parts) all += part.size();
  expect_writable(all);
  if (closing_ || closed_) return;
  std::span<const std::byte> spans[write_queue::most_parts];
  std::size_t count = 0;
  std::size_t sent = 0;
  if (out_ == nullptr) {
    for (const std::string_view part : parts) {
      if (part.empty()) continue;
      if (count == write_queue::most_parts) break;
      spans[count++] = std::as_bytes(std::span<const char>(part.data(), part.size()));
    }
    if (count != 0) sent = send_now({spans, count});
    if (closed_) return;
  }
  for (const std::string_view part : parts) {
    const std::size_t gone = std::min(sent, part.size());
    sent -= gone;
    if (gone != part.size()) out().push(part.data() + gone, part.size() - gone);
  }
  if (out_ != nullptr) flush();
  pause_if_full();
}

void stream_core::write_eof() {
  if (std::exchange(write_ended_, true) || closing_ || closed_) return;
  if (out_ == nullptr) all_sent();
}

void stream_core::set_write_limits(std::size_t high, std::size_t low) {
  check_marks(high, low);
  options_.high_water = high;
  options_.low_water = low;
  pause_if_full();
}

void stream_core::flush() noexcept {
  if (leased()) return lease_->tell();
  while (out_ != nullptr && !closed_) {
    const write_queue::parts parts = out_->front();
    const transfer sent = wire_->write(parts.span());
    if (sent.error && !sent.blocked()) return lose(sent.error);
    out_->sent(sent.bytes);
    if (out_->empty()) {
      out_.reset();
      all_sent();
    } else if (sent.bytes == 0) {
      break;
    }
  }
  if (closing_ && !closed_ && out_ == nullptr && wire_->finish()) return end(false);
  if (paused_ && unsent() <= options_.low_water) {
    paused_ = false;
    wake_all(draining_, nullptr);
  }
}

void stream_core::all_sent() noexcept {
  if (leased()) return;
  if (lease_ != nullptr) lease_->tell();
  if (closing_) return;  // `flush` ends it
  if (!write_ended_ || std::exchange(eof_sent_, true)) return;
  if (const std::error_code error = wire_->end_writing()) lose(error);
}

// --- the end ----------------------------------------------------------------------------------------------------------

void stream_core::close() noexcept {
  if (closed_ || std::exchange(closing_, true)) return;
  if (!lost_) ended_ = true;
  if (out_ == nullptr && wire_->finish()) return end(false);
  wake_reader();
  if (!draining_.empty()) wake_all(draining_, closed_error());
  if (options_.close_timeout != infinite)
    home_->timers().arm(*this,
                        troupe::internal::saturating_add(home_->time(), options_.close_timeout));
}

void stream_core::abort() noexcept {
  if (!closed_) end(true);
}

stream::pieces stream_core::take_apart() {
  troupe::expects(home_ == nullptr || home_ == loop::current(),
                  "a stream was taken apart on another loop than its own");
  const char* const why = closing_ || lost_        ? "has been closed or lost"
                          : ended_ || write_ended_ ? "has ended in one direction"
                          : out_ != nullptr        ? "has unsent bytes"
                          : lease_ != nullptr      ? "is being sent a file"
                          : reader_ != nullptr || !draining_.empty() || !waiting_for_end_.empty()
                              ? "is waited for by a task"
                              : nullptr;
  if (why != nullptr) throw invalid_state(std::string("a stream cannot be taken apart: it ") + why);
  notice_.move(nullptr);
  stream::pieces taken{std::move(wire_), std::move(in), options_, std::move(notice_)};
  delete this;
  return taken;
}

void stream_core::lose(std::error_code error) noexcept {
  if (closed_) return;
  lost_ = error;
  end(true);
}

void stream_core::end(bool reset) noexcept {
  if (std::exchange(closed_, true)) return;
  closing_ = true;
  paused_ = false;
  if (!lost_) ended_ = true;
  home_->timers().cancel(*this);
  out_.reset();
  wire_->close(reset);
  wake_reader();
  if (!draining_.empty() || !waiting_for_end_.empty() || lease_ != nullptr) {
    // Made for those who wait only: an exception costs more than all else here.
    const std::exception_ptr lost = loss();
    wake_all(draining_, lost != nullptr ? lost : closed_error());
    wake_all(waiting_for_end_, lost);
    if (lease_ != nullptr) std::exchange(lease_, nullptr)->take_away(lost ? lost : closed_error());
  }
  notice_.end(lost_);
}

void stream_core::drop() noexcept {
  if (reader_ != nullptr) std::exchange(reader_, nullptr)->gone();
  if (!draining_.empty() || !waiting_for_end_.empty()) {
    const std::exception_ptr error = gone_error();
    wake_all(draining_, error);
    wake_all(waiting_for_end_, error);
  }
  if (home_ == nullptr) {
    delete this;
    return;
  }
  close();
  dropped_ = true;
  if (closed_) delete this;
}

template <class Wait>
void stream_core::wake_all(troupe::internal::chain<Wait>& chain,
                           const std::exception_ptr& error) noexcept {
  while (Wait* const first = chain.pop()) {
    first->error_ = error;
    first->go_on();
  }
}

}  // namespace internal
}  // namespace troupe::io
