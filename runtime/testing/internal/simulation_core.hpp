#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/internal/simulated_works.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::testing {

/// The simulation as its loops see it.
class simulation::core final : public internal::simulator {
 public:
  core(oracle& decides, const simulation_options& options)
      : decides_(decides),
        options_(options),
        asks_who_(decides.asks_who()),
        wants_steps_(decides.wants_steps()),
        lag_left_(options.lag * lags_in_all),
        limit_(options.most_steps) {}
  ~core() { expects(members_.empty(), "a simulation went while a runtime in it was there"); }

  void opened(loop& home) override;
  void closes(loop& home) noexcept override;
  void run(loop& home) override;
  void born(work& item) noexcept override;
  void set_forgotten(loop& home, forgotten visit) override;
  void report(const failure_report& report) override;
  std::uint32_t number_task() noexcept override { return ++tasks_; }
  void touch(const work& actor) noexcept override;
  const work* stepped() const noexcept override { return stepped_; }

  std::size_t choose(std::size_t count, choice::kind what);
  std::uint64_t number_object() noexcept { return object(thing::object, ++objects_); }
  void touch(std::uint64_t what, bool changes) {
    if (wants_steps_) touched_.push_back({what, changes});
  }
  void look_for_leaks(runtime& ended);
  void finish();

  const simulation_options& options() const noexcept { return options_; }
  time_point time() const noexcept { return now_; }
  std::size_t steps() const noexcept { return steps_; }
  std::uint64_t hash() const noexcept { return hash_; }
  const std::vector<std::uint32_t>& choices() const noexcept { return choices_; }
  const std::vector<choice::kind>& kinds() const noexcept { return kinds_; }
  const std::vector<part>& parts() const noexcept { return parts_; }
  void mark_part(std::size_t from) {
    if (from < choices_.size()) parts_.push_back({from, choices_.size()});
  }
  void always(callable<void()> holds) { invariants_.push_back(std::move(holds)); }
  void each_step(callable<void()> act) { acts_.push_back(std::move(act)); }
  void expect_failures(std::function<bool(const failure_report&)> belongs) {
    belonging_.push_back(std::move(belongs));
  }
  /// Done when `holds()` after a step, or, where it is empty, when nothing is ready.
  coro<> wait_for(callable<bool()> holds);
  /// From now on that log takes all failures; null: it does no more. Returns the one before.
  failure_log* take_failures(failure_log* log) noexcept { return std::exchange(log_, log); }
  void on_opened(callable<void(loop&)> told) { on_opened_ = std::move(told); }
  void spare_tasks(callable<bool(task_base&)> belongs) { spared_.push_back(std::move(belongs)); }
  void spare_actors(callable<bool(const std::string&)> belongs) {
    spared_actors_.push_back(std::move(belongs));
  }
  using internal::simulator::set_outside;

 private:
  static constexpr int lags_in_all = 100;

  /// The turn in which the timers of a loop that are due are fired.
  struct timer_turn final : work {
    explicit timer_turn(internal::simulated_loop& on) noexcept
        : work(&timer_turn::take), steps(on) {}
    static void take(work& item) noexcept;
    internal::simulated_loop& steps;
    bool queued = false;
    std::uint32_t who = 0;
  };
  struct member {
    member(loop& home, std::size_t senders) : steps(home), timers(steps), posts(senders) {}
    internal::simulated_loop steps;
    timer_turn timers;
    internal::simulated_works::line calls;              ///< of this loop, in their order
    std::deque<internal::simulated_works::line> posts;  ///< to it, by the loop they come from
    forgotten actors;                                   ///< may be empty
  };
  struct identity {
    work::function run;
    std::uint32_t number;
  };
  struct waiting {
    std::uint64_t number;
    promise<void> told;
    callable<bool()> holds;
  };
  using members = std::vector<std::unique_ptr<member>>;

  members::iterator find(const loop& home) noexcept;
  void drive(member& until);
  void step();
  void begin_step(const internal::simulated_works::ready& next);
  void after_step();
  void idle();
  /// What may be touched: somebody; all on a loop; the calls of a loop; what a loop has posted to another; what the scenario has numbered.
  enum class thing : std::uint8_t { somebody, loop, calls, posts, object, all };
  static std::uint64_t object(thing kind, std::uint64_t number) noexcept {
    return (static_cast<std::uint64_t>(kind) << 56) + number;
  }
  void tell_waiting(bool nothing_is_ready);
  [[noreturn]] void throw_failures();
  [[noreturn]] void throw_livelock();
  void wind_up_after_failure() noexcept;
  void take_in(std::size_t ran);
  void take_in_outside();
  void take_ready(std::size_t index);
  void take_timers(std::size_t index);
  void put_back();
  std::uint32_t number_of(work& item);
  std::size_t ask(const choice& open);
  time_point next_deadline();
  void jump(time_point to);
  void maybe_lag();
  void jump_for_shutdown();
  void look_for_forgotten();
  void mix(std::uint64_t what) noexcept {
    hash_ = (hash_ ^ what) * 0x9e3779b97f4a7c15;
    hash_ ^= hash_ >> 29;
  }

  oracle& decides_;
  simulation_options options_;
  members members_;  ///< in the order of opening
  internal::simulated_works works_;
  std::vector<std::uint32_t> who_;
  bool asks_who_;
  bool wants_steps_;
  std::uint64_t objects_ = 0;
  std::uint32_t tasks_ = 0;
  std::vector<testing::touch> touched_;              ///< by the step that runs
  std::unordered_map<const work*, identity> known_;  ///< those who are ready more than once
  std::uint32_t numbers_ = 0;
  time_point now_{};
  duration lag_left_;
  std::size_t steps_ = 0;
  std::size_t limit_;
  std::uint64_t hash_ = 0xcbf29ce484222325;
  std::vector<std::uint32_t> choices_;
  const work* stepped_ = nullptr;
  failure_log* log_ = nullptr;
  std::vector<waiting> waiting_;
  std::uint64_t last_waiting_ = 0;
  std::vector<choice::kind> kinds_;
  std::vector<part> parts_;
  std::vector<callable<void()>> invariants_;
  std::vector<callable<void()>> acts_;
  std::vector<std::function<bool(const failure_report&)>> belonging_;
  std::vector<callable<bool(task_base&)>> spared_;
  std::vector<callable<bool(const std::string&)>> spared_actors_;
  std::size_t quiet_ = 0;  ///< times that nothing was ready, until actors are looked at
  std::vector<failure_report> failures_;
  callable<void(loop&)> on_opened_;
  bool settling_ = false;  ///< time stands still, until nothing is ready
  std::exception_ptr late_error_;
  bool failed_ = false;  ///< it is being wound up after a failure: nothing is chosen any more
};

}  // namespace troupe::testing
