// All that a child reads and writes, at the same time.
#include <troupe/io/internal/child.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace troupe::io {

namespace {

using shared_child = std::shared_ptr<internal::child>;

constexpr std::size_t piece = std::size_t{1} << 16;
constexpr int chunks_in_a_row = 16;

/// Sends the input and then the end of it. A child that reads no more has had enough of it.
coro<> feed(shared_child with) {
  internal::conversation& said = with->said();
  try {
    for (;;) {
      stream* const to = with->standard_stream(0);
      if (to == nullptr) co_return;
      if (said.sent == said.input.size()) {
        to->write_eof();
        break;
      }
      const std::string_view next = std::string_view(said.input).substr(said.sent, piece);
      to->write(next);
      said.sent += next.size();
      co_await to->drain();
    }
  } catch (const std::system_error&) {
  }
  said.sent = said.input.size();
}

/// Room for `more` bytes. Much output goes to huge pages where the system lets one ask for them: to touch memory in small pages costs
/// more than to read what is put there.
void make_room(std::string& text, std::size_t more) {
  if (text.capacity() - text.size() >= more) return;
  std::string larger;
  larger.reserve(std::max(text.size() + more, 2 * text.capacity()));
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(larger.data());
  const std::uintptr_t from = (begin + huge_page - 1) / huge_page * huge_page;
  const std::uintptr_t to = (begin + larger.capacity()) / huge_page * huge_page;
  if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
  larger += text;
  text = std::move(larger);
}

/// Reads output (1) or errors (2) to the end.
coro<> listen(shared_child with, std::size_t index, std::size_t limit) {
  std::string& heard = with->said().heard[index - 1];
  for (int chunks = 1;; ++chunks) {
    stream* const from = with->standard_stream(index);
    if (from == nullptr) co_return;
    const bytes some = co_await from->read_some();
    if (some.empty()) co_return;
    make_room(heard, some.size());
    heard += some.text();
    if (heard.size() > limit)
      throw too_long("a child has written more than the limit of communicate, " +
                     std::to_string(limit) + " bytes");
    // One that writes as fast as this reads is not to keep all others waiting.
    if (chunks % chunks_in_a_row == 0) co_await sleep(duration::zero());
  }
}

coro<> exchange(shared_child with, std::size_t limit) {
  try {
    co_await gather(feed(with), listen(with, 1, limit), listen(with, 2, limit));
  } catch (const cancelled&) {
    if (!with->said().cut) throw;
  }
}

/// Cancels the exchange when the child has ended and its pipes have not, after a while.
coro<> cut_off(shared_child with, duration drain_timeout, task<> exchanging) {
  try {
    co_await internal::exit_wait(*with);
  } catch (const std::exception&) {
    // Whose status was lost has ended nevertheless; whose process has gone has no pipes any more.
  }
  co_await sleep(drain_timeout);
  if (exchanging.done()) co_return;
  with->said().cut = true;
  exchanging.cancel();
}

/// Ends with the frame that it is in: a conversation that was given up can be taken up again.
struct going_on {
  explicit going_on(shared_child given) : with(std::move(given)) { with->said().going_on = true; }
  ~going_on() {
    with->said().going_on = false;
    if (limit) limit->cancel();
  }
  going_on(const going_on&) = delete;
  going_on& operator=(const going_on&) = delete;
  shared_child with;
  std::optional<task<>> limit;
};

coro<communicated> talk(shared_child with, std::string input, communicate_options how) {
  internal::conversation& said = with->said();
  if (said.going_on) throw invalid_state("two tasks communicate with one child");
  if (!input.empty() && with->standard_stream(0) == nullptr)
    throw std::invalid_argument("input for a child whose stdin is no pipe");
  if (said.sent == said.input.size()) {
    said.input = std::move(input);
    said.sent = 0;
  } else {
    said.input += input;
  }
  const bool has_output = with->standard_stream(1) != nullptr;
  const bool has_errors = with->standard_stream(2) != nullptr;
  going_on here(with);
  said.cut = false;
  task<> exchanging = create_task(exchange(with, how.limit), {.name = "communicate"});
  if (has_output || has_errors || with->standard_stream(0) != nullptr)
    here.limit = create_task(cut_off(with, how.drain_timeout, exchanging), {.name = "communicate"});
  co_await exchanging;
  communicated result;
  try {
    result.returncode = co_await internal::exit_wait(*with);
  } catch (const status_lost&) {
  }
  if (has_output) result.output = std::move(said.heard[0]);
  if (has_errors) result.errors = std::move(said.heard[1]);
  said.heard[0].clear();
  said.heard[1].clear();
  result.cut = said.cut;
  co_return result;
}

}  // namespace

coro<communicated> process::communicate(std::string input, communicate_options how) {
  expects(child_ != nullptr, "a process was used after it had been moved away");
  return talk(child_, std::move(input), how);
}

}  // namespace troupe::io
