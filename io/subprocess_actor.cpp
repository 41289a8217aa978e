#include <troupe/io/subprocess_actor.hpp>

#include <troupe/actors/owner_ref.hpp>
#include <troupe/io/internal/child.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/sleep.hpp>

#include <algorithm>
#include <csignal>
#include <deque>
#include <exception>
#include <stdexcept>

namespace troupe::io {

namespace {

constexpr std::size_t without_credit = 4096;
constexpr std::size_t waiting_windows = 8;  // of asked inputs that do not fit yet
constexpr int chunks_in_a_row = 8;          // then others get their turn

std::exception_ptr failed_input(std::error_code reason) {
  return std::make_exception_ptr(std::system_error(reason, "input for a subprocess"));
}

}  // namespace

command::command(std::string program, std::vector<std::string> arguments,
                 const process_options& options)
    : launch_(
          std::make_shared<internal::launch>(std::move(program), std::move(arguments), options)) {}

command command::shell(std::string text, const process_options& options) {
  if (text.empty()) throw std::invalid_argument("a subprocess: the command for its shell is empty");
  std::vector<std::string> arguments{"-c", std::move(text)};
  return command("/bin/sh", std::move(arguments), options);
}

/// The child of an actor, and what is on its way to it and from it. Its coroutines are tasks of the actor, and end before it does.
class subprocess_actor::runner {
 public:
  runner(subprocess_actor& self, const command& wanted, actor_ref<subprocess_events> owner,
         const subprocess_actor_options& options)
      : self_(self),
        owner_(std::move(owner), self.self()),
        options_(options),
        program_(wanted.launch_->program()),
        grace_(wanted.launch_->grace()),
        child_(internal::child::start(*wanted.launch_)) {
    options_.largest_chunk = std::max<std::size_t>(options_.largest_chunk, 1);
    // `drain` of it waits until all has been sent.
    if (stream* const to = child_->standard_stream(0)) to->set_write_limits(0, 0);
  }
  ~runner() { child_->drop(); }

  void begin() {
    owner_.tell(started{self_.self(), child_->pid()});
    for (std::size_t index = 1; index <= 2; ++index) {
      if (child_->standard_stream(index) == nullptr) continue;
      ++open_;
      self_.create_task(pump(ways_[index - 1], index), {.name = "output"});
    }
    self_.create_task(watch(), {.name = "exit"});
  }

  void add_credit(std::size_t bytes) {
    credit_ += std::min(bytes, SIZE_MAX - credit_);
    if (credit_ != 0) credit_given_.set();
  }

  // --- input ---

  void send(bytes chunk, reply_to<void> accepted) {
    if (!accepted && !accepted.told()) return;  // withdrawn
    stream* const to = child_->standard_stream(0);
    if (to == nullptr || input_ended_ || to->is_closing()) {
      accepted.fail(failed_input(std::make_error_code(std::errc::broken_pipe)));
    } else if (waiting_.empty() && fits(*to, chunk)) {
      write(*to, std::move(chunk), std::move(accepted));
    } else if (accepted && may_wait(chunk)) {
      waiting_bytes_ += chunk.size();
      waiting_.push_back({std::move(chunk), std::move(accepted)});
      if (waiting_.size() == 1) self_.create_task(feed(), {.name = "input"});
    } else if (accepted) {
      accepted.fail(failed_input(std::make_error_code(std::errc::no_buffer_space)));
    } else {
      reason_ = std::make_error_code(std::errc::no_buffer_space);
      self_.stop();
    }
  }

  void end_input() {
    if (std::exchange(input_ended_, true)) return;
    stream* const to = child_->standard_stream(0);
    if (to != nullptr && waiting_.empty()) to->write_eof();
  }

  bool signal(int number) {
    try {
      return child_->send_signal(number);
    } catch (const std::exception& error) {
      throw rejected(error.what());
    }
  }

  // --- the end ---

  /// The actor stops: the child ends before that.
  coro<> end() {
    if (finished_) co_return;
    child_->end(grace_);
    try {
      co_await internal::exit_wait(*child_);
    } catch (const status_lost&) {
    }
    tell_exit();
    finish(reason_ ? reason_ : std::make_error_code(std::errc::operation_canceled));
  }

 private:
  struct waiting_input {
    bytes chunk;
    reply_to<void> accepted;
  };
  struct way {
    bool reading = false;  ///< the child, or who else has its stream, is waited for
    bool ended = true;
    std::size_t chunks = 0;  ///< that have come
  };

  bool fits(const stream& to, const bytes& chunk) const noexcept {
    return to.unsent() == 0 || to.unsent() + chunk.size() <= options_.input_window;
  }
  bool may_wait(const bytes& chunk) const noexcept {
    return waiting_.empty() ||
           (waiting_bytes_ + chunk.size()) / waiting_windows <= options_.input_window;
  }
  static void write(stream& to, bytes chunk, reply_to<void> accepted) {
    to.write(std::move(chunk));
    if (to.is_closing()) {
      accepted.fail(failed_input(std::make_error_code(std::errc::broken_pipe)));
    } else {
      accepted.answer();
    }
  }

  /// Lets in what waits, as there comes room.
  coro<> feed() {
    try {
      while (!waiting_.empty()) {
        stream* const to = child_->standard_stream(0);
        if (to == nullptr) break;
        co_await to->drain();
        while (!waiting_.empty() && fits(*to, waiting_.front().chunk)) {
          waiting_input first = std::move(waiting_.front());
          waiting_.pop_front();
          waiting_bytes_ -= first.chunk.size();
          // Whose asker has given up is not sent.
          if (first.accepted) write(*to, std::move(first.chunk), std::move(first.accepted));
        }
      }
    } catch (const std::system_error& error) {
      for (waiting_input& each : waiting_) each.accepted.fail(failed_input(error.code()));
      waiting_.clear();
      waiting_bytes_ = 0;
    }
    if (stream* const to = child_->standard_stream(0); to != nullptr && input_ended_)
      to->write_eof();
  }

  /// Passes on what comes from one of the streams, as credit allows.
  coro<> pump(way& mine, std::size_t index) {
    mine.ended = false;
    try {
      for (int in_a_row = 0;; ++in_a_row) {
        stream* const from = child_->standard_stream(index);
        if (from == nullptr) break;
        const std::size_t most = credit_ != 0 ? credit_ : without_credit;
        mine.reading = true;
        bytes chunk = co_await from->read_some(std::min(most, options_.largest_chunk));
        mine.reading = false;
        ++mine.chunks;
        if (chunk.empty()) break;
        while (!chunk.empty()) {
          while (credit_ == 0) {
            credit_given_.clear();
            co_await credit_given_.wait();
          }
          pass_on(chunk, index);
        }
        if (in_a_row % chunks_in_a_row == chunks_in_a_row - 1) co_await sleep(duration::zero());
      }
    } catch (const std::system_error& error) {
      reason_ = error.code();
    }
    mine.ended = true;
    --open_;
    owner_.tell(end_of_output{self_.self(), static_cast<output_stream>(index)});
    finish_when_done();
  }

  void pass_on(bytes& chunk, std::size_t index) {
    const std::size_t size = std::min(credit_, chunk.size());
    credit_ -= size;
    bytes part;
    if (size == chunk.size()) {
      part = std::move(chunk);
    } else {
      part = bytes(chunk.data(), size);
      chunk.consume(size);
    }
    owner_.tell(output{self_.self(), static_cast<output_stream>(index), std::move(part)});
  }

  /// Waits for the child, and then not for ever for who holds its output.
  coro<> watch() {
    try {
      co_await internal::exit_wait(*child_);
    } catch (const status_lost&) {
    }
    tell_exit();
    finish_when_done();
    while (open_ != 0) {
      const std::size_t before[] = {ways_[0].chunks, ways_[1].chunks};
      co_await sleep(options_.drain_timeout);
      bool comes_more = false;
      for (std::size_t index = 0; index < 2; ++index) {
        const way& each = ways_[index];
        // An owner who gives no credit has all the time that it wants.
        if (!each.ended && (!each.reading || each.chunks != before[index])) comes_more = true;
      }
      if (open_ != 0 && !comes_more) finish(std::make_error_code(std::errc::timed_out));
    }
  }

  void tell_exit() {
    if (!std::exchange(exit_told_, true)) owner_.tell(exited{self_.self(), child_->returncode()});
  }
  void finish_when_done() {
    if (exit_told_ && open_ == 0) finish(reason_);
  }
  void finish(std::error_code reason) {
    if (std::exchange(finished_, true)) return;
    for (waiting_input& each : waiting_)
      each.accepted.fail(failed_input(std::make_error_code(std::errc::broken_pipe)));
    waiting_.clear();
    const std::optional<int> how = child_->returncode();
    owner_.tell(finished{self_.self(), how, reason});
    open_ = 0;
    if (!ended_badly(how)) return self_.stop();
    const std::string ending = !how       ? "has ended, nobody knows how"
                               : *how < 0 ? "was ended by signal " + std::to_string(-*how)
                                          : "has ended with status " + std::to_string(*how);
    self_.crash_with(
        std::make_exception_ptr(subprocess_failed("'" + program_ + "' " + ending, how)));
  }
  bool ended_badly(std::optional<int> how) const noexcept {
    switch (options_.crash_when) {
      case bad_end::none:
        return false;
      case bad_end::by_signal:
        return how && *how < 0;
      case bad_end::failure:
        return how != 0;
    }
    return false;
  }

  subprocess_actor& self_;
  troupe::internal::owner_ref<subprocess_events> owner_;
  subprocess_actor_options options_;
  std::string program_;
  duration grace_;
  std::shared_ptr<internal::child> child_;
  way ways_[2];
  std::size_t open_ = 0;  ///< streams that have not ended
  std::size_t credit_ = 0;
  event credit_given_;
  std::deque<waiting_input> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::error_code reason_;
  bool input_ended_ = false;
  bool exit_told_ = false;
  bool finished_ = false;
};

namespace {
actor_ref<subprocess_events> checked(actor_ref<subprocess_events> owner) {
  if (!owner)
    throw std::invalid_argument(
        "a subprocess_actor needs an owner: somebody has to be told what comes");
  return owner;
}
}  // namespace

subprocess_actor::subprocess_actor(command wanted, actor_ref<subprocess_events> owner,
                                   subprocess_actor_options options)
    : runner_(std::make_unique<runner>(*this, wanted, checked(std::move(owner)), options)) {}

subprocess_actor::~subprocess_actor() = default;

void subprocess_actor::on_start() { runner_->begin(); }
void subprocess_actor::on(demand more) { runner_->add_credit(more.bytes); }
void subprocess_actor::on(input i, reply_to<void> accepted) {
  runner_->send(std::move(i.chunk), std::move(accepted));
}
void subprocess_actor::on(write_eof) { runner_->end_input(); }
bool subprocess_actor::on(send_signal s) { return runner_->signal(s.number); }
void subprocess_actor::on(terminate) { static_cast<void>(runner_->signal(SIGTERM)); }
void subprocess_actor::on(kill) { static_cast<void>(runner_->signal(SIGKILL)); }
coro<> subprocess_actor::on_stop() { return runner_->end(); }

}  // namespace troupe::io
