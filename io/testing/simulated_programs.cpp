// The programs of a simulation as a whole: what is installed, how a process begins, and what becomes of all of them.
#include <troupe/io/testing/internal/simulated_programs.hpp>
#include <troupe/io/testing/internal/virtual_program.hpp>
#include <troupe/runtime/errors.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace troupe::testing::internal {

namespace {

// Above all numbers that Linux gives to processes: whoever sends a signal past troupe meets nobody.
constexpr int first_pid = 10'000'001;

/// What a parent has of a process of the simulation.
class simulated_child final : public io::internal::child_body {
 public:
  simulated_child(std::weak_ptr<simulated_programs> in,
                  std::shared_ptr<virtual_program> played) noexcept
      : in_(std::move(in)), played_(std::move(played)) {}
  ~simulated_child() override {
    if (!done_) end_now();
    let_go();
  }

  int pid() const noexcept override { return played_->pid(); }
  void attach(listener& told) override { played_->tell(&told); }
  int signal(int number) noexcept override {
    return done_ || played_->orphaned() ? ESRCH : played_->raise(number);
  }
  int signal_group(int number) noexcept override {
    const auto in = in_.lock();
    if (let_go_ || in == nullptr || played_->orphaned()) return ESRCH;
    const int told = in->signal_group(pid(), number);
    return told == ESRCH && !done_ ? 0 : told;  // as of one that was not collected
  }
  bool group_lives() noexcept override {
    const auto in = in_.lock();
    return in != nullptr && in->group_lives(pid());
  }
  bool collect(std::optional<int>& returncode, bool) noexcept override {
    if (!played_->gone() && !played_->orphaned() && !at_once_) return false;
    if (!played_->orphaned()) returncode = played_->returncode();
    done_ = true;
    return true;
  }
  void wait_for_end() noexcept override { end_now(); }
  void let_go() noexcept override {
    done_ = let_go_ = true;
    played_->tell(nullptr);
  }

 private:
  void end_now() noexcept {
    if (in_.lock() != nullptr) played_->end(-SIGKILL);
    at_once_ = true;
  }

  std::weak_ptr<simulated_programs> in_;
  std::shared_ptr<virtual_program> played_;
  bool done_ = false;     ///< collected
  bool let_go_ = false;   ///< nothing more is wanted of it
  bool at_once_ = false;  ///< its end is not waited for
};

std::string_view last_part(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);  // of npos too
}

/// The command, where it is one for the shell.
const std::string* shell_command(const io::internal::launch& wanted) noexcept {
  const std::vector<std::string>& all = wanted.arguments();
  return all.size() == 3 && last_part(all[0]) == "sh" && all[1] == "-c" ? &all[2] : nullptr;
}

coro<int> not_found(program& self) {
  self.errors().write(self.name() + ": 1: " + self.arguments().back() + ": not found\n");
  co_return 127;
}

void refuse_unsimulated(const io::internal::launch& wanted) {
  using to = io::stdio::to;
  for (const io::internal::launch::way& each : wanted.ways()) {
    if (each.kind == to::file || each.kind == to::append)
      throw invalid_state("starting '" + wanted.program() +
                          "' in a simulation: a standard stream cannot lead to a file there, '" +
                          each.path + "': use a pipe");
    if (each.kind == to::descriptor)
      throw invalid_state("starting '" + wanted.program() +
                          "' in a simulation: a standard stream cannot lead to a descriptor of "
                          "the system's there: use a pipe");
  }
  if (wanted.passes_descriptors())
    throw invalid_state("starting '" + wanted.program() +
                        "' in a simulation: no descriptors can be passed on there");
}

[[noreturn]] void fail(io::spawn_error::step at, std::error_code why,
                       const io::internal::launch& wanted, const std::string& what) {
  throw io::spawn_error(at, why, "starting '" + wanted.program() + "'" + what);
}

}  // namespace

simulated_programs::simulated_programs(simulation& world, const programs_options& options)
    : world_(world),
      options_(options),
      object_(world.number_object()),
      faults_left_(options.faults) {}

simulated_programs::~simulated_programs() = default;

void simulated_programs::watch_steps() {
  if (options_.faults == 0) return;  // for then all steps depend on each other
  world_.each_step([self = weak_from_this()] {
    if (const auto held = self.lock()) held->maybe_kill();
  });
}

// --- what is installed ------------------------------------------------------------------------------------------------

void simulated_programs::add(std::string name, programs::script does) {
  touched();
  failing_.erase(name);
  scripts_[std::move(name)] = std::move(does);
}

void simulated_programs::add_shell(std::string command, programs::script does) {
  touched();
  failing_.erase(command);
  commands_[std::move(command)] = std::move(does);
}

void simulated_programs::remove(std::string_view name) {
  touched();
  if (const auto found = scripts_.find(name); found != scripts_.end()) scripts_.erase(found);
  if (const auto found = commands_.find(name); found != commands_.end()) commands_.erase(found);
  if (const auto found = failing_.find(name); found != failing_.end()) failing_.erase(found);
}

void simulated_programs::start_fails(std::string name, std::error_code why,
                                     io::spawn_error::step at) {
  touched();
  failing_[std::move(name)] = {why, at};
}

/// A command of the shell; else the very path, or a path where it is looked for; else the name.
simulated_programs::installed simulated_programs::look_up(
    const io::internal::launch& wanted) const {
  if (const std::string* const command = shell_command(wanted)) {
    if (const auto known = commands_.find(*command); known != commands_.end())
      return {known->first, known->second};
  }
  const auto known_as = [this](std::string_view name) {
    return scripts_.contains(name) || failing_.contains(name);
  };
  std::string name(last_part(wanted.program()));
  if (known_as(wanted.program())) {
    name = wanted.program();
  } else {
    const auto& all = wanted.candidates();
    const auto known = std::find_if(all.begin(), all.end(), known_as);
    if (known != all.end()) name = *known;
  }
  if (const auto known = scripts_.find(name); known != scripts_.end())
    return {known->first, known->second};
  const std::string* const command = shell_command(wanted);
  if (command != nullptr && !commands_.empty()) return {*command, &not_found};
  return {std::move(name), {}};
}

// --- the beginning of a process ---------------------------------------------------------------------------------------

/// By choice, or as it was told to.
void simulated_programs::may_fail(const io::internal::launch& wanted) {
  using step = io::spawn_error::step;
  if (faults_left_ != 0) {
    const std::size_t answer = world_.choose(3, choice::kind::fault);
    if (answer != 0) {
      --faults_left_;
      const auto why =
          answer == 1 ? std::errc::resource_unavailable_try_again : std::errc::not_enough_memory;
      note(0,
           "'" + wanted.program() + "' cannot be started: " + std::make_error_code(why).message());
      fail(step::process, std::make_error_code(why), wanted, ": there can be no further process");
    }
  }
  const std::string name = look_up(wanted).name;
  if (const auto told = failing_.find(name); told != failing_.end()) {
    note(0, "'" + wanted.program() + "' cannot be started: " + told->second.why.message());
    fail(told->second.at, told->second.why, wanted, "");
  }
}

io::internal::started_child simulated_programs::start(const io::internal::launch& wanted) {
  using step = io::spawn_error::step;
  touched();
  const int here = virtual_program::here();
  virtual_program* const parent = find(here);
  if (here != 0 && (parent == nullptr || !parent->running()))
    fail(step::process, std::make_error_code(std::errc::resource_unavailable_try_again), wanted,
         ": its parent has ended");
  refuse_unsimulated(wanted);
  may_fail(wanted);
  installed known = look_up(wanted);
  if (!known.does) {
    note(0, "'" + wanted.program() + "' is not there to be started");
    fail(step::program, std::make_error_code(std::errc::no_such_file_or_directory), wanted,
         ": no program of that name is installed in the simulation");
  }
  const int pid = first_pid + static_cast<int>(runs_.size());
  const std::vector<std::string>& all = wanted.arguments();
  runs_.push_back({known.name, {all.begin() + 1, all.end()}, pid, std::nullopt});
  const auto made = std::make_shared<virtual_program>(
      *this, *loop::current(), wanted,
      virtual_program::origin{std::move(known.name), std::move(known.does), pid, parent});
  all_.push_back(made);
  io::internal::started_child result;
  connect(*made, wanted, parent, result);
  result.body = std::make_unique<simulated_child>(weak_from_this(), made);
  std::string line = "is started:";
  for (const std::string& each : all) line += " " + each;
  note(pid, line);
  made->begin(options_.start_delay);
  return result;
}

void simulated_programs::connect(virtual_program& made, const io::internal::launch& wanted,
                                 const virtual_program* parent,
                                 io::internal::started_child& result) {
  using to = io::stdio::to;
  for (std::size_t index = 0; index < result.pipes.size(); ++index) {
    const bool reads = index == 0;
    const to kind = wanted.ways()[index].kind;
    std::shared_ptr<virtual_pipe> pipe;
    if (kind == to::pipe) {
      pipe = std::make_shared<virtual_pipe>(weak_from_this(), options_.pipe_capacity);
      result.pipes[index] = std::make_unique<pipe_end>(
          pipe, reads, parent != nullptr ? parent->pid() : 0, made.pid());
    } else if (kind == to::merged) {
      pipe = made.pipe(1);
    } else if (kind == to::inherit && parent != nullptr) {
      pipe = parent->pipe(index);
    }
    if (pipe == nullptr) {
      made.give(index, std::make_unique<nowhere>(), nullptr);
    } else {
      made.give(index, std::make_unique<pipe_end>(pipe, !reads, made.pid(), made.pid()), pipe);
    }
  }
}

// --- what becomes of them ---------------------------------------------------------------------------------------------

virtual_program* simulated_programs::find(int pid) const noexcept {
  const auto found = std::find_if(all_.begin(), all_.end(),
                                  [pid](const auto& each) { return each->pid() == pid; });
  return found != all_.end() ? found->get() : nullptr;
}

int simulated_programs::signal_group(int group, int signal) noexcept {
  int result = ESRCH;
  for (const auto& each : all_) {
    if (each->group() != group || !each->running()) continue;
    const int told = each->raise(signal);
    if (result != 0) result = told;
  }
  return result;
}

bool simulated_programs::group_lives(int group) const noexcept {
  return std::any_of(all_.begin(), all_.end(), [group](const auto& each) {
    return each->group() == group && each->running();
  });
}

void simulated_programs::ended(virtual_program& one) noexcept {
  const int returncode = *one.returncode();
  runs_[static_cast<std::size_t>(one.pid() - first_pid)].returncode = returncode;
  note(one.pid(), returncode < 0 ? "is ended by signal " + std::to_string(-returncode)
                                 : "ends with " + std::to_string(returncode));
  for (pipe_end* const each : std::vector(ends_))
    if (each->holder() == one.pid()) each->shut();
  // Who ends by itself has ended its children, or left them to.
  if (returncode >= 0) return;
  for (const auto& each : std::vector(all_))
    if (each->parent() == one.pid()) each->orphan();
}

void simulated_programs::gone(virtual_program& one) noexcept {
  std::erase_if(all_, [&one](const auto& each) { return each.get() == &one; });
}

void simulated_programs::wrote_in_vain(int pid) noexcept {
  if (virtual_program* const found = find(pid)) found->broke_pipe();
}

std::size_t simulated_programs::shortened(std::size_t size) {
  if (!options_.short_transfers || size < 2) return size;
  const std::size_t answer = world_.choose(size > 2 ? 3 : 2, choice::kind::fault);
  return answer == 0 ? size : answer == 1 ? 1 : size / 2;
}

void simulated_programs::maybe_kill() {
  if (faults_left_ == 0) return;
  std::vector<virtual_program*> living;
  for (const auto& each : all_)
    if (each->running() && !each->about_to_be_killed()) living.push_back(each.get());
  if (living.empty()) return;
  const std::size_t answer = world_.choose(living.size() + 1, choice::kind::fault);
  if (answer == 0) return;
  --faults_left_;
  note(living[answer - 1]->pid(), "is killed by somebody");
  static_cast<void>(living[answer - 1]->raise(SIGKILL));
}

std::size_t simulated_programs::kill(std::string_view name, int signal) {
  touched();
  std::size_t told = 0;
  for (const auto& each : std::vector(all_)) {
    if (each->name() != name || !each->running()) continue;
    if (const int error = each->raise(signal))
      throw std::system_error(error, std::generic_category(),
                              "a signal to program '" + each->name() + "' of the simulation");
    ++told;
  }
  return told;
}

std::size_t simulated_programs::running(const std::string_view* name) const noexcept {
  return static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), [&](const auto& each) {
    return each->running() && (name == nullptr || each->name() == *name);
  }));
}

// --- for who looks at the run -----------------------------------------------------------------------------------------

void simulated_programs::note(int pid, std::string_view what, std::string_view content) {
  if (story_ == nullptr) return;
  std::string line;
  if (pid != 0)
    line =
        runs_[static_cast<std::size_t>(pid - first_pid)].name + " (" + std::to_string(pid) + ") ";
  story_->note(world_.time(), line += what, content);
}

void simulated_programs::note_written(int of_process, int by, std::string_view content) noexcept {
  if (story_ != nullptr) note(of_process, by == of_process ? "writes" : "is given", content);
}

}  // namespace troupe::testing::internal
