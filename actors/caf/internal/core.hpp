#pragma once

#include <troupe/actors/caf/internal/unit.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/timer.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/resumable.hpp>
#include <caf/scoped_execution_unit.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::internal {

class caf_doubles;

/// A CAF actor system and the units that run its actors on the loops of a runtime.
///
/// Life: open; ending, from the first `begin_end` on, in which actors are told to exit until none is left; taken apart, by a thread of its
/// own, as that may wait for others; over. CAF tells nobody but blocked threads when its last actor has ended, so while it is ending its
/// home looks for that, a millisecond later, then somewhat later each time. In a simulation there are no threads: CAF's own actors, such as
/// those of groups, are ended as well, and it is taken apart in place.
/// Threads: its home, which is the loop on which it was made, except where others are named.
class caf_core final : public std::enable_shared_from_this<caf_core>, private timer {
 public:
  enum class state : unsigned char { open, ending, taken_apart, over };

  /// Errors: what CAF throws at a configuration that it cannot use.
  static std::shared_ptr<caf_core> make(std::unique_ptr<::caf::actor_system_config> config);
  ~caf_core();
  caf_core(const caf_core&) = delete;
  caf_core& operator=(const caf_core&) = delete;

  /// For the scheduler: it is of this system, which is being made.
  void serves(::caf::actor_system& system) noexcept;
  ::caf::actor_system& system() noexcept { return *system_; }
  loop& home() const noexcept { return home_; }
  bool simulated() const noexcept { return home_.simulator() != nullptr || home_.is_virtual(); }
  /// Threads: any.
  state now() const noexcept { return state_.load(); }
  bool over() const noexcept { return now() == state::over; }
  /// How many actors have not ended. Threads: any.
  std::size_t running() const noexcept;

  void begin_end() noexcept;
  /// The same, from any thread.
  void request_end() noexcept;
  /// Ends what has not listened.
  void kill_all() noexcept;
  /// Nothing runs any more, and it has not ended: leaves the system behind.
  void abandon() noexcept;
  /// Set when it is over.
  event& ended() noexcept { return ended_; }

  /// Has CAF's work done. Takes over a count. Threads: any.
  void enqueue(::caf::resumable* job) noexcept;
  /// Where that is done; `here` for what has no place yet. Threads: any.
  caf_unit& unit_of(::caf::resumable* job, caf_unit& here) noexcept;
  /// The unit of the loop that runs on this thread, or null. Threads: any.
  caf_unit* unit_here() noexcept;
  caf_unit& first_unit() noexcept { return *units_.front(); }
  template <class Use>
  void each_unit(Use use) {
    for (const auto& each : units_) use(*each);
  }
  std::size_t loops() const noexcept { return units_.size(); }
  std::size_t most_messages() const noexcept { return most_messages_; }
  /// What became ready too late for a loop. Threads: any.
  void enqueue_late(::caf::resumable* job) noexcept;
  /// For the scheduler's end: closes the units and does what is left, on the thread that takes the system apart.
  void finish_work() noexcept;

  caf_doubles& doubles() noexcept { return *doubles_; }

 private:
  /// Does the last work of a system.
  struct last_unit final : ::caf::execution_unit {
    explicit last_unit(caf_core& given) noexcept : owner(given) {}
    void exec_later(::caf::resumable* job) override { owner.enqueue_late(job); }
    void serves(::caf::actor_system* system) noexcept { system_ = system; }
    caf_core& owner;
  };

  explicit caf_core(std::unique_ptr<::caf::actor_system_config> config);
  void open();
  void tell_to_exit(caf_unit::whom these, ::caf::exit_reason why) noexcept;
  static void on_due(timer& self) noexcept;
  void look() noexcept;
  bool nobody_left() const noexcept;
  void begin_to_take_apart() noexcept;
  void take_apart() noexcept;
  template <class Use, class Done>
  void visit_units(Use use, Done done);
  template <class Use>
  void visit_units_and(Use use, void (caf_core::*then)() noexcept);
  void destroy_soon() noexcept;
  void destroy_here() noexcept;
  void set_over() noexcept;
  void do_late_work() noexcept;

  loop& home_;
  std::atomic<state> state_{state::open};
  std::unique_ptr<::caf::actor_system_config> config_;
  std::size_t most_messages_ = 0;
  std::vector<std::unique_ptr<caf_unit>> units_;
  std::unique_ptr<caf_doubles> doubles_;
  ::caf::actor_system* system_ = nullptr;  ///< owned, until it is taken apart
  std::thread taking_apart_;
  duration pause_{};  ///< until the next look
  event ended_;
  last_unit last_{*this};
  std::atomic<std::size_t> next_unit_{0};
  std::atomic<bool> late_{false};  ///< units are closed, or about to be
  std::mutex late_mutex_;
  std::deque<::caf::resumable*> late_jobs_;
  bool finished_ = false;  ///< under the mutex: nothing is done any more
};

/// The CAF system of a loop. Threads: the loop's.
class caf_of_loop final : public loop_service {
 public:
  /// That of this loop's runtime. Errors: `invalid_state` off a loop, or when there is none.
  static caf_core& current(const char* who);
  /// The same, or null.
  static caf_core* find() noexcept;
  /// Where CAF's work is done on this loop, or null.
  static caf_unit* unit() noexcept;

  void attach(std::shared_ptr<caf_core> made) noexcept;
  bool occupied() const noexcept { return core_ != nullptr && !core_->over(); }
  bool ending() const noexcept { return ending_; }

  void begin_shutdown() override;
  void insist() override;
  void abandon() noexcept override;
  bool finished() const override { return !occupied(); }
  std::string unfinished() const override;

 private:
  bool at_home() const noexcept { return occupied() && &core_->home() == loop::current(); }

  std::shared_ptr<caf_core> core_;
  bool ending_ = false;
};

}  // namespace troupe::internal
