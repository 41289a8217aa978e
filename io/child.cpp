#include <troupe/io/internal/child.hpp>
#include <troupe/io/internal/members_of_loop.hpp>

#include <troupe/io/internal/simulated_children.hpp>
#include <troupe/io/internal/system_child.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/task.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace troupe::io::internal {

namespace {

constexpr duration first_look = std::chrono::milliseconds(1);
constexpr duration longest_look = std::chrono::milliseconds(50);

}  // namespace

/// The children of one loop: those that end in the background, and those that it must not leave behind.
class children_of_loop final : public members_of_loop<child> {
 public:
  void begin_shutdown() override {}
  void insist() override {
    for (child* each = first_; each != nullptr;) {
      child* const next = each->next_;
      if (left(*each)) each->end(duration::zero());
      each = next;
    }
  }
  void abandon() noexcept override {
    for (child* each = first_; each != nullptr;) {
      child* const next = each->next_;
      if (left(*each)) {
        each->end_now();
        each->finish();
      }
      each = next;
    }
  }
  bool finished() const override {
    for (const child* each = first_; each != nullptr; each = each->next_)
      if (left(*each)) return false;
    return true;
  }
  std::string unfinished() const override {
    std::string names;
    for (const child* each = first_; each != nullptr; each = each->next_)
      if (left(*each))
        names += "\n  child process " + std::to_string(each->pid()) + ", to be ended";
    return names;
  }
  ~children_of_loop() override {
    while (child* const each = first_) {
      each->end_now();
      remove(*each);
      each->kept_by_ = nullptr;
      const std::shared_ptr<child> last = std::move(each->kept_);
    }
  }

  spawn_stack& stack() noexcept { return stack_; }

 private:
  static bool left(const child& each) noexcept { return each.dropped_ && each.kept_ != nullptr; }

  spawn_stack stack_;
};

// --- the beginning ----------------------------------------------------------------------------------------------------

child::child(loop& home, const launch& wanted)
    : timer(&child::on_due),
      home_(home),
      kept_by_(&home.service<children_of_loop>()),
      group_(wanted.group()),
      grace_(wanted.grace()) {
  kept_by_->add(*this);
}

child::~child() {
  if (kept_by_ == nullptr) return;
  home_.timers().cancel(*this);
  kept_by_->remove(*this);
}

std::shared_ptr<child> child::start(const launch& wanted) {
  loop& home = troupe::internal::running_loop("a subprocess");
  simulated_children* played = nullptr;
  if (home.is_virtual()) {
    if (home.simulator() == nullptr)
      throw invalid_state(
          "a subprocess lives in real time, and this loop is on virtual time: try it in a "
          "simulation, with a testing::programs that says what its programs do");
    played = home.simulator()->stand_in<simulated_children>();
    if (played == nullptr)
      throw invalid_state(
          "a subprocess lives in real time, and this loop is simulated: make a testing::programs "
          "first, which says what its programs do");
  }
  std::shared_ptr<child> made(new child(home, wanted));
  made->adopt(played != nullptr ? played->start(wanted)
                                : system_child::start(wanted, made->kept_by_->stack()),
              wanted.streams());
  return made;
}

void child::adopt(started_child made, const stream_options& options) {
  body_ = std::move(made.body);
  for (std::size_t index = 0; index < streams_.size(); ++index) {
    if (made.pipes[index] != nullptr)
      streams_[index].emplace(std::move(made.pipes[index]), options);
  }
  body_->attach(*this);
  kept_ = shared_from_this();
}

// --- signals ----------------------------------------------------------------------------------------------------------

namespace {

/// Whether it was sent. Errors: as of `process::send_signal`.
bool sent(int error, int pid) {
  if (error == 0) return true;
  if (error == ESRCH) return false;
  throw std::system_error(error, std::generic_category(),
                          "a signal to child process " + std::to_string(pid));
}

void check_number(int number) {
  if (number <= 0 || number >= NSIG)
    throw std::invalid_argument("no signal has the number " + std::to_string(number));
}

}  // namespace

bool child::send_signal(int number) {
  check_number(number);
  return sent(try_signal(number), pid());
}

bool child::signal_group(int number) {
  check_number(number);
  if (!has_group())
    throw invalid_state(
        "a child in the group of its parent has none of its own that could be signalled");
  return sent(try_signal_group(number), pid());
}

int child::try_signal(int number) noexcept { return ended_ ? ESRCH : body_->signal(number); }

int child::try_signal_group(int number) noexcept {
  return has_group() ? body_->signal_group(number) : try_signal(number);
}

// --- the end ----------------------------------------------------------------------------------------------------------

bool child::collect() noexcept {
  if (!body_->collect(returncode_, ending_ && has_group())) return false;
  ended_ = true;
  return true;
}

std::exception_ptr child::loss() const noexcept {
  if (returncode_) return nullptr;
  return std::make_exception_ptr(status_lost(
      "child process " + std::to_string(pid()) +
      " has ended, and somebody else in this process has taken its status: SIGCHLD is ignored, "
      "or something waits for any child"));
}

void child::wake_waiting(const std::exception_ptr& error) noexcept {
  while (exit_wait* const first = waiting_.pop()) {
    first->error_ = error;
    if (returncode_) first->returncode_ = *returncode_;
    first->wake();
  }
}

void child::on_exit() noexcept {
  if (ended_ || !collect()) return;
  wake_waiting(loss());
  if (ending_) {
    go_on_ending();
  } else {
    const std::shared_ptr<child> last = std::move(kept_);
  }
}

void child::on_due(timer& due) noexcept { static_cast<child&>(due).go_on_ending(); }

void child::arm(duration wait) noexcept {
  home_.timers().cancel(*this);
  home_.timers().arm(*this, troupe::internal::saturating_add(home_.time(), wait));
}

void child::end(duration grace) noexcept {
  if (kept_by_ == nullptr) return;
  const time_point by = troupe::internal::saturating_add(home_.time(), grace);
  if (std::exchange(ending_, true)) {
    kill_at_ = std::min(kill_at_, by);
  } else {
    kill_at_ = by;
    next_look_ = first_look;
    if (kept_ == nullptr) kept_ = shared_from_this();
    if (try_signal_group(SIGTERM) != 0 && ended_) return finish();
    // One that was stopped hears of it only when it goes on.
    static_cast<void>(try_signal_group(SIGCONT));
  }
  go_on_ending();
}

void child::go_on_ending() noexcept {
  const time_point now = home_.time();
  const bool late = now >= kill_at_;
  if (late && !std::exchange(killed_, true)) static_cast<void>(try_signal_group(SIGKILL));
  if (ended_) {
    // Nobody tells of the end of those that it has started.
    if (late || !has_group() || try_signal_group(0) != 0) return finish();
    if (next_look_ > first_look) {
      if (!body_->group_lives()) return finish();
      // A look takes long where there are many processes; it is to take a small part of the time.
      next_look_ = std::max(next_look_, 50 * (home_.time() - now));
    }
    arm(std::min(next_look_, kill_at_ - now));
    next_look_ = std::min(next_look_ * 2, longest_look);
  } else if (!late && kill_at_ != time_point::max()) {
    arm(kill_at_ - now);
  }
}

void child::finish() noexcept {
  home_.timers().cancel(*this);
  body_->let_go();
  const std::shared_ptr<child> last = std::move(kept_);
}

void child::drop() noexcept {
  if (std::exchange(dropped_, true)) return;
  wake_waiting(std::make_exception_ptr(invalid_state("a process went while a task waited for it")));
  for (std::optional<stream>& each : streams_) {
    if (each && *each) each->abort();
    each.reset();
  }
  end(grace_);
}

void child::end_now() noexcept {
  home_.timers().cancel(*this);
  static_cast<void>(try_signal_group(SIGKILL));
  if (!ended_) {
    body_->wait_for_end();
    static_cast<void>(collect());
    ended_ = true;
  }
  body_->let_go();
}

// --- waits ------------------------------------------------------------------------------------------------------------

bool exit_wait::await_ready() {
  if (!on_->ended()) return false;
  error_ = on_->loss();
  if (on_->returncode()) returncode_ = *on_->returncode();
  return true;
}

void exit_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  on_->wait_for_end(*this);
  park(handle, here);
}

int exit_wait::await_resume() {
  if (suspended()) finish();
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  return returncode_;
}

bool exit_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

}  // namespace troupe::io::internal
