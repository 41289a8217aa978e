#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/internal/outside.hpp>
#include <troupe/runtime/loop.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::internal {

/// Who runs loops in the place of the system: one thread for all of them, time that stands still or jumps, and every choice its own.
/// The test kit has one (testing::simulation); a loop that was opened for it never waits.
///
/// Life: outlives the loops that it was given.
/// Threads: one.
class simulator {
 public:
  /// A loop is there, or goes; it does not run then.
  virtual void opened(loop& home) = 0;
  virtual void closes(loop& home) noexcept = 0;
  /// In the place of `loop::run_forever`: until that one is told to stop, or nothing can ever become ready.
  virtual void run(loop& home) = 0;
  /// This work is none that was there before, though it may have the place in memory of one that was.
  virtual void born(work& item) noexcept = 0;
  /// What the next task is called by, from 1: the same in the same run.
  virtual std::uint32_t number_task() noexcept = 0;
  /// The step that runs does something to that actor.
  virtual void touch(const work& actor) noexcept = 0;
  /// The work whose step runs; null between steps.
  virtual const work* stepped() const noexcept = 0;
  /// A runtime in it is shut down from now on, until its loops have closed: nobody takes what `run` would throw.
  void shuts_down() noexcept { shutting_down_ = true; }
  /// Something was posted to one of its loops. Threads: any.
  void posted() noexcept;
  /// The scenario has met something that is not simulated, and so is not the same in the next run: `what`, a literal. The first of these ends it.
  /// Threads: any.
  void met(const char* what) noexcept {
    const char* none = nullptr;
    met_.compare_exchange_strong(none, what, std::memory_order_relaxed);
  }
  /// Has `visit` asked, between steps, for the actors of that loop that nothing can ever come to; it gives how many it has looked at.
  using forgotten = callable<std::size_t(const callable<void(const std::string&)>&)>;
  virtual void set_forgotten(loop& home, forgotten visit) = 0;
  /// In the place of the loop's failure handler.
  virtual void report(const failure_report& report) = 0;

  /// What its loops may watch, or null.
  internal::outside* outside() const noexcept { return outside_.get(); }

  /// What else it has in the place of the system's, such as files; null where it has no such thing.
  template <class Thing>
  Thing* stand_in() const noexcept {
    for (const auto& [key, each] : stand_ins_)
      if (key == &stand_in_key<Thing>) return static_cast<Thing*>(each.get());
    return nullptr;
  }
  /// Pre: it has none.
  template <class Thing>
  void set_stand_in(std::shared_ptr<Thing> given) {
    stand_ins_.emplace_back(&stand_in_key<Thing>, std::move(given));
  }

 protected:
  ~simulator() = default;
  void set_outside(std::shared_ptr<internal::outside> given) noexcept {
    outside_ = std::move(given);
  }
  bool shutting_down() const noexcept { return shutting_down_; }
  void has_shut_down() noexcept { shutting_down_ = false; }
  const char* what_was_met() const noexcept { return met_.load(std::memory_order_relaxed); }

 private:
  template <class Thing>
  static constexpr char stand_in_key = 0;

  bool shutting_down_ = false;
  std::atomic<const char*> met_{nullptr};
  std::shared_ptr<internal::outside> outside_;
  std::vector<std::pair<const void*, std::shared_ptr<void>>> stand_ins_;
};

/// For which simulator a runtime opens its loops on this thread; null, as nearly always, for none.
simulator*& current_simulator() noexcept;

/// What a simulator may do with a loop of its own.
class simulated_loop {
 public:
  explicit simulated_loop(loop& home) noexcept : home_(&home) {}
  loop& home() const noexcept { return *home_; }

  /// What has become ready, or was posted, since the last time; oldest first.
  work* take_ready() noexcept { return home_->ready_.take_all(); }
  work* take_posted() noexcept {
    return home_->inbox_.empty() ? nullptr : home_->inbox_.take_all();
  }
  void put_back(work& item) noexcept { home_->ready_.push(item); }

  /// Around everything else: as if the loop ran on this thread.
  void enter() noexcept;
  void leave() noexcept;
  void run(work& item) noexcept {
    this_thread.current_loop = home_;
    item.run(item);
  }

  bool stopping() const noexcept { return home_->stopping_; }
  void set_stalled() noexcept { home_->stalled_ = true; }
  void set_time(time_point now) noexcept { home_->virtual_now_ = now; }
  bool has_timers() const noexcept { return !home_->timers_.empty(); }
  /// The next deadline; time_point::max() when there is none. What has been armed lazily gets its own now.
  time_point next_deadline() noexcept;
  bool due() noexcept { return home_->timer_due_ || home_->timers_.due(home_->virtual_now_); }
  void fire() noexcept;
  /// Nothing is ready: cancels what was made during a shutdown, and says so when all has been wound up.
  void idle() noexcept;

 private:
  loop* home_;
};

/// Whether that work is a call, which have an order among themselves.
bool is_call(const work& item) noexcept;

}  // namespace troupe::internal
