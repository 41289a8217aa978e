#include <troupe/runtime/testing/simulation.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/internal/simulation_core.hpp>
#include <troupe/runtime/timeout.hpp>

namespace troupe::testing {

namespace {

thread_local simulation* running = nullptr;

}  // namespace

simulation* simulation::current() noexcept { return running; }

simulation::entered::entered(simulation& given) {
  if (internal::current_simulator() != nullptr || loop::current() != nullptr)
    throw invalid_state("a simulation was begun inside another one, or inside a running loop");
  internal::current_simulator() = given.core_.get();
  running = &given;
}

simulation::entered::~entered() {
  internal::current_simulator() = nullptr;
  running = nullptr;
}

simulation::simulation(oracle& decides, const simulation_options& options) {
  if (options.threads == 0) throw std::invalid_argument("a simulation needs at least one loop");
  if (options.lag < duration::zero())
    throw std::invalid_argument("the lag of a simulation cannot be negative");
  core_ = std::make_unique<core>(decides, options);
}
simulation::~simulation() = default;

void simulation::always(callable<void()> holds) { core_->always(std::move(holds)); }
void simulation::each_step(callable<void()> act) { core_->each_step(std::move(act)); }
coro<> simulation::quiet() { co_await core_->wait_for({}); }
coro<> simulation::until(callable<bool()> holds, duration within) {
  if (holds()) co_return;
  co_await timeout(within, core_->wait_for(std::move(holds)));
}
coro<> simulation::advance(duration time) {
  co_await sleep(time);
  co_await quiet();
}
void simulation::expect_failures(std::function<bool(const failure_report&)> belongs) {
  core_->expect_failures(std::move(belongs));
}
void simulation::on_opened(callable<void(loop&)> told) { core_->on_opened(std::move(told)); }
void simulation::spare_tasks(callable<bool(task_base&)> belongs) {
  core_->spare_tasks(std::move(belongs));
}
void simulation::set_outside(std::shared_ptr<internal::outside> given) {
  if (core_->outside() != nullptr)
    throw invalid_state("a simulation has one outside, and no other");
  core_->set_outside(std::move(given));
}
internal::simulator& simulation::seen_by_loops() const noexcept { return *core_; }
std::size_t simulation::choose(std::size_t count, choice::kind what) {
  return core_->choose(count, what);
}
std::uint64_t simulation::number_object() { return core_->number_object(); }
void simulation::touch(std::uint64_t object, bool changes) { core_->touch(object, changes); }
time_point simulation::time() const noexcept { return core_->time(); }
std::size_t simulation::steps() const noexcept { return core_->steps(); }
std::uint64_t simulation::hash() const noexcept { return core_->hash(); }
const std::vector<std::uint32_t>& simulation::choices() const noexcept { return core_->choices(); }
const std::vector<choice::kind>& simulation::kinds() const noexcept { return core_->kinds(); }
const std::vector<simulation::part>& simulation::parts() const noexcept { return core_->parts(); }
void simulation::mark_part(std::size_t from) { core_->mark_part(from); }
std::size_t simulation::threads() const noexcept { return core_->options().threads; }
void simulation::spare_actors(callable<bool(const std::string&)> belongs) {
  core_->spare_actors(std::move(belongs));
}
void simulation::look_for_leaks(runtime& ended) { core_->look_for_leaks(ended); }
void simulation::finish() { core_->finish(); }

expected_in_simulation::expected_in_simulation(failure_log* log)
    : log_(log != nullptr && running != nullptr ? running->core_->take_failures(log) : nullptr),
      holds_(log != nullptr && running != nullptr) {}

expected_in_simulation::~expected_in_simulation() {
  if (holds_ && running != nullptr) running->core_->take_failures(log_);
}

}  // namespace troupe::testing
