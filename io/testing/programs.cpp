#include <troupe/io/testing/programs.hpp>

#include <troupe/io/testing/internal/simulated_programs.hpp>
#include <troupe/io/testing/internal/virtual_program.hpp>
#include <troupe/runtime/errors.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::testing {

namespace {

using io::internal::simulated_children;

simulation& current() {
  simulation* const here = simulation::current();
  if (here == nullptr)
    throw invalid_state("simulated programs were made where there is no simulation");
  return *here;
}

const programs_options& checked(const programs_options& options) {
  if (options.pipe_capacity == 0)
    throw std::invalid_argument("the pipes of simulated programs need room for a byte");
  if (options.start_delay < duration::zero())
    throw std::invalid_argument("the start of simulated programs cannot take less than no time");
  return options;
}

void check(const std::string& name, const programs::script& does) {
  if (name.empty()) throw std::invalid_argument("a simulated program needs a name");
  if (!does) throw std::invalid_argument("simulated program '" + name + "' needs a script");
}

}  // namespace

// --- a program --------------------------------------------------------------------------------------------------------

const std::string& program::name() const noexcept { return played_->called(); }
const std::vector<std::string>& program::arguments() const noexcept { return played_->arguments(); }
std::optional<std::string> program::environment(std::string_view variable) const {
  return played_->environment(variable);
}
const std::string& program::cwd() const noexcept { return played_->cwd(); }
int program::pid() const noexcept { return played_->pid(); }

io::stream& program::input() { return played_->stream_of(0); }
io::stream& program::output() { return played_->stream_of(1); }
io::stream& program::errors() { return played_->stream_of(2); }

void program::handle(int signal) {
  played_->set(signal, internal::virtual_program::disposition::handled);
}
void program::ignore(int signal) {
  played_->set(signal, internal::virtual_program::disposition::ignored);
}
void program::restore(int signal) {
  played_->set(signal, internal::virtual_program::disposition::usual);
}
coro<int> program::next_signal() { return played_->next_signal(); }

// --- all of them ------------------------------------------------------------------------------------------------------

programs::programs(const programs_options& options) : programs(current(), options) {}

programs::programs(simulation& world, const programs_options& options)
    : core_(std::make_shared<internal::simulated_programs>(world, checked(options))) {
  troupe::internal::simulator& seen = world.seen_by_loops();
  if (seen.stand_in<simulated_children>() != nullptr)
    throw invalid_state("a simulation has programs already");
  seen.set_stand_in<simulated_children>(core_);
  world.spare_tasks([](task_base& each) { return internal::virtual_program::made(each) != 0; });
  core_->watch_steps();
}

void programs::add(std::string name, script does) {
  check(name, does);
  core_->add(std::move(name), std::move(does));
}
void programs::add_shell(std::string command, script does) {
  check(command, does);
  core_->add_shell(std::move(command), std::move(does));
}
void programs::remove(std::string_view name) { core_->remove(name); }
void programs::start_fails(std::string name, std::error_code why, io::spawn_error::step at) {
  core_->start_fails(std::move(name), why, at);
}

std::size_t programs::kill(std::string_view name, int signal) {
  if (signal <= 0 || signal >= NSIG)
    throw std::invalid_argument("no signal has the number " + std::to_string(signal));
  return core_->kill(name, signal);
}
std::size_t programs::running(std::string_view name) const noexcept {
  return core_->running(&name);
}
std::size_t programs::running() const noexcept { return core_->running(nullptr); }
std::vector<program_run> programs::runs() const { return core_->runs(); }
std::vector<program_run> programs::runs(std::string_view name) const {
  std::vector<program_run> named;
  for (const program_run& each : core_->runs())
    if (each.name == name) named.push_back(each);
  return named;
}

}  // namespace troupe::testing
