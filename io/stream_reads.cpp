// The awaiters of a stream.
#include <troupe/io/internal/stream_core.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::io::internal {

using more = stream_core::more;

// --- all reads --------------------------------------------------------------------------------------------------------

read_wait::~read_wait() {
  if (suspended() && from_ != nullptr) from_->end_read(*this);
}

bool read_wait::await_ready() {
  if (from_->read_by_another(*this))
    throw invalid_state("two tasks read one stream: let one of them pass on what the other needs");
  return try_now();
}

void read_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  const bool again = from_->had_its_turn();
  from_->begin_read(*this);
  park(handle, here);
  if (again && waiting()) look_again();  // unless it was cancelled in park
}

bool read_wait::cancel() noexcept {
  if (from_ != nullptr) from_->end_read(*this);
  from_ = nullptr;  // which may go before this does
  wake_cancelled();
  return true;
}

bool read_wait::try_now() noexcept {
  try {
    return attempt();
  } catch (...) {
    fail(std::current_exception());
    return true;
  }
}

void read_wait::look_again() noexcept {
  if (!std::exchange(retries_, true)) wake_to_retry();
}

bool read_wait::retry() noexcept {
  retries_ = false;
  if (from_ == nullptr) return true;
  from_->end_read(*this);
  if (try_now()) {
    from_ = nullptr;
    return true;
  }
  from_->begin_read(*this);
  if (from_->had_its_turn()) look_again();
  return false;
}

void read_wait::gone() noexcept {
  from_ = nullptr;
  fail(stream_core::gone_error());
  look_again();
}

void read_wait::settle() {
  if (suspended()) finish();
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

bool read_wait::over(std::exception_ptr at_end) {
  if (std::exception_ptr lost = from_->loss()) {
    fail(std::move(lost));
    return true;
  }
  if (!from_->ended()) return false;
  if (at_end != nullptr) fail(std::move(at_end));
  return true;
}

namespace {

/// Takes the first `count` bytes of what was read; without copying when those are all.
bytes take(stream_core& from, std::size_t count) {
  if (count == from.in.size()) return std::exchange(from.in, bytes());
  bytes taken(from.in.data(), count);
  from.in.consume(count);
  return taken;
}

std::string take_text(stream_core& from, std::size_t count) {
  std::string taken(from.in.text().substr(0, count));
  from.in.consume(count);
  if (from.in.empty()) from.in = bytes();
  return taken;
}

}  // namespace

bool read_some_wait::attempt() {
  stream_core& from = *from_;
  if (most_ == 0) return true;
  if (from.in.empty() && from.read_more(std::min(most_, from.good_size())) == more::later)
    return false;
  if (from.in.empty()) return over(nullptr);
  result_ = take(from, std::min(most_, from.in.size()));
  return true;
}

bool read_into_wait::attempt() {
  stream_core& from = *from_;
  if (into_.empty()) return true;
  if (from.in.empty()) {
    const more read = from.read_past(into_, result_);
    return read != more::later && (read == more::some || over(nullptr));
  }
  result_ = std::min(into_.size(), from.in.size());
  std::memcpy(into_.data(), from.in.data(), result_);
  from.in.consume(result_);
  if (from.in.empty()) from.in = bytes();
  return true;
}

bool read_exactly_wait::attempt() {
  stream_core& from = *from_;
  while (from.in.size() < count_) {
    // Not all at once: the count may be a peer's, who never sends so much.
    constexpr std::size_t at_once = std::size_t{1} << 18;
    const more read = from.read_more(std::min(count_ - from.in.size(), at_once));
    if (read == more::later) return false;
    if (read == more::some) continue;
    std::string partial = read == more::ended ? take_text(from, from.in.size()) : std::string();
    return over(std::make_exception_ptr(incomplete_read(std::move(partial), count_)));
  }
  result_ = take(from, count_);
  return true;
}

bool read_all_wait::attempt() {
  stream_core& from = *from_;
  for (;;) {
    if (from.in.size() > most_) {
      fail(
          std::make_exception_ptr(too_long("a stream holds more than the " + std::to_string(most_) +
                                           " bytes that were to be read")));
      return true;
    }
    const more read = from.read_more();
    if (read == more::later) return false;
    if (read == more::some) continue;
    if (over(nullptr) && error_ == nullptr) result_ = take(from, from.in.size());
    return true;
  }
}

// --- lines ------------------------------------------------------------------------------------------------------------

bool read_line_wait::attempt() {
  stream_core& from = *from_;
  const auto drop_too_long = [&](std::size_t count) {
    from.in.consume(count);
    if (from.in.empty()) from.in = bytes();
    fail(std::make_exception_ptr(too_long("a line is longer than the limit of the stream, " +
                                          std::to_string(from.limit()))));
    return true;
  };
  for (;;) {
    const std::string_view text = from.in.text();
    const std::size_t newline = text.find('\n', looked_);
    if (newline != std::string_view::npos) {
      if (newline > from.limit()) return drop_too_long(newline + 1);
      result_ = take_text(from, newline + 1);
      return true;
    }
    looked_ = text.size();
    if (looked_ > from.limit()) return drop_too_long(looked_);
    const more read = from.read_more();
    if (read == more::later) return false;
    if (read == more::some) continue;
    if (over(nullptr) && error_ == nullptr) result_ = take_text(from, from.in.size());
    return true;
  }
}

std::optional<std::string> next_line_wait::await_resume() {
  settle();
  if (result_.empty()) return std::nullopt;
  if (result_.back() == '\n') {
    result_.pop_back();
    if (!result_.empty() && result_.back() == '\r') result_.pop_back();
  }
  return std::move(result_);
}

read_until_wait::read_until_wait(stream_core& from, std::span<const std::string_view> separators)
    : read_of(from) {
  if (separators.size() == 0) throw std::invalid_argument("read_until without a separator");
  for (const std::string_view each : separators) {
    if (each.empty()) throw std::invalid_argument("read_until with an empty separator");
    separators_.emplace_back(each);
    longest_ = std::max(longest_, each.size());
  }
}

bool read_until_wait::attempt() {
  stream_core& from = *from_;
  const auto overrun = [&](std::size_t consumed, const char* what) {
    fail(std::make_exception_ptr(limit_overrun(
        what + (" within the limit of the stream, " + std::to_string(from.limit())), consumed)));
    return true;
  };
  for (;;) {
    const std::string_view text = from.in.text();
    std::size_t begin = std::string_view::npos;
    std::size_t end = std::string_view::npos;
    for (const std::string& each : separators_) {
      const std::size_t found = text.find(each, looked_);
      if (found == std::string_view::npos || found + each.size() >= end) continue;
      begin = found;
      end = found + each.size();
    }
    if (end != std::string_view::npos) {
      if (begin > from.limit()) return overrun(begin, "a separator, but not");
      result_ = take_text(from, end);
      return true;
    }
    looked_ = text.size() + 1 > longest_ ? text.size() + 1 - longest_ : 0;
    if (looked_ > from.limit()) return overrun(looked_, "no separator");
    const more read = from.read_more();
    if (read == more::later) return false;
    if (read == more::some) continue;
    std::string partial = read == more::ended ? take_text(from, from.in.size()) : std::string();
    return over(std::make_exception_ptr(incomplete_read(std::move(partial), std::nullopt)));
  }
}

// --- waits for the whole ----------------------------------------------------------------------------------------------

bool stream_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

void stream_wait::settle() {
  if (suspended()) finish();
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

bool drain_wait::await_ready() {
  if (on_->closing()) {
    error_ = on_->loss();
    if (error_ == nullptr) error_ = stream_core::closed_error();
  }
  return on_->closing() || !on_->paused();
}

void drain_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  on_->wait_for_drain(*this);
  park(handle, here);
}

bool close_wait::await_ready() {
  if (on_->closed()) error_ = on_->loss();
  return on_->closed();
}

void close_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  on_->wait_for_end(*this);
  park(handle, here);
}

}  // namespace troupe::io::internal
