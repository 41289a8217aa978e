#include <troupe/io/testing/internal/simulated_programs.hpp>
#include <troupe/io/testing/internal/virtual_program.hpp>
#include <troupe/runtime/context.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace troupe::testing::internal {

namespace {

using troupe::internal::context_data;

/// By which a task, and those that it makes, belongs to a process.
struct part_of final : troupe::internal::context_value {
  explicit part_of(int number) noexcept : pid(number) {}
  int pid;
};
constexpr char part_of_key = 0;

int pid_in(const context_data* context) noexcept {
  const auto* const found = static_cast<const part_of*>(context_data::find(context, &part_of_key));
  return found != nullptr ? found->pid : 0;
}

bool stops(int signal) noexcept {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}
bool does_nothing(int signal) noexcept {
  return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

bool was_cancelled(const std::exception_ptr& error) noexcept {
  return troupe::internal::cancellation_of(error) != troupe::internal::cancellation::none;
}

/// The programs of one loop, which end with it.
class programs_of_loop final : public loop_service {
 public:
  void add(std::shared_ptr<virtual_program> made) { all_.push_back(std::move(made)); }
  void remove(const virtual_program& gone) noexcept {
    std::erase_if(all_, [&](const auto& each) { return each.get() == &gone; });
  }

  // Whoever has a parent is ended by that.
  void begin_shutdown() override {
    for (const auto& each : std::vector(all_))
      if (each->orphaned()) static_cast<void>(each->raise(SIGKILL));
  }
  void abandon() noexcept override {
    for (const auto& each : std::vector(all_)) each->abandon();
  }
  void let_go() noexcept override {
    for (const auto& each : std::vector(all_)) each->let_go();
  }
  bool finished() const override {
    return std::all_of(all_.begin(), all_.end(),
                       [](const auto& each) { return each->running() && !each->orphaned(); });
  }
  std::string unfinished() const override {
    std::string names;
    for (const auto& each : all_) names += "\n  program '" + each->name() + "'";
    return names;
  }
  void each_task(const callable<void(task_base&)>& visit) const override {
    for (const auto& each : std::vector(all_))
      each->tasks().for_each([&](task_base& task) { visit(task); });
  }
  // Those whose `process` outlives the loop.
  ~programs_of_loop() override {
    if (all_.empty()) return;
    for (const auto& each : all_) each->abandon();
    // Behind whatever of theirs is in the chain.
    const auto last = std::make_shared<virtual_turn>([left = all_] {
      for (const auto& each : left) each->let_go();
    });
    last->ask(*loop::current());
  }

 private:
  std::vector<std::shared_ptr<virtual_program>> all_;
};

}  // namespace

int virtual_program::here() noexcept { return pid_in(troupe::internal::current_context()); }

int virtual_program::made(task_base& task) noexcept {
  return pid_in(troupe::internal::context_of(task));
}

// --- the beginning ----------------------------------------------------------------------------------------------------

virtual_program::virtual_program(simulated_programs& in, loop& home,
                                 const io::internal::launch& wanted, origin from)
    : in_(in),
      home_(home),
      name_(std::move(from.name)),
      does_(std::move(from.does)),
      called_(wanted.program()),
      arguments_(wanted.arguments().begin() + 1, wanted.arguments().end()),
      cwd_(wanted.cwd()),
      pid_(from.pid),
      parent_(from.parent != nullptr ? from.parent->pid_ : 0),
      group_(wanted.group() != io::process_group::same ? from.pid
             : from.parent != nullptr                  ? from.parent->group_
                                                       : 0),
      signals_(std::make_shared<virtual_turn>([this] { take_signals(); })),
      exit_(std::make_shared<virtual_turn>([this] {
        in_.touched();
        if (told_ != nullptr) told_->on_exit();
      })) {
  if (from.parent != nullptr && cwd_.empty()) cwd_ = from.parent->cwd_;
  if (wanted.inherits_environment()) {
    knows_system_ = from.parent == nullptr || from.parent->knows_system_;
    if (from.parent != nullptr) environment_ = from.parent->environment_;
  }
  for (const std::string& each : wanted.added_environment()) {
    const std::size_t equals = each.find('=');
    environment_[each.substr(0, equals)] = each.substr(equals + 1);
  }
}

virtual_program::~virtual_program() {
  signals_->withdraw();
  exit_->withdraw();
}

void virtual_program::give(std::size_t index, std::unique_ptr<io::transport> wire,
                           std::shared_ptr<virtual_pipe> pipe) noexcept {
  wires_[index] = std::move(wire);
  pipes_[index] = std::move(pipe);
}

void virtual_program::begin(duration delay) {
  home_.service<programs_of_loop>().add(shared_from_this());
  // A process knows nothing of what its parent has set for itself.
  auto*& context = troupe::internal::current_context();
  auto* const own = context_data::with(nullptr, &part_of_key, new part_of(pid_));
  auto* const outer = std::exchange(context, own);
  static_cast<void>(troupe::internal::make_task(home_, tasks_, play(shared_from_this(), delay),
                                                {.name = name_}, false,
                                                std::source_location::current()));
  context_data::release(std::exchange(context, outer));
}

coro<> virtual_program::play(std::shared_ptr<virtual_program> self, duration delay) {
  int status = 0;
  std::exception_ptr failed;
  try {
    if (delay > duration::zero()) co_await sleep(delay);
    status = co_await self->does_(self->seen_);
    co_await self->flush();
  } catch (...) {
    failed = std::current_exception();
  }
  self->over(status, failed);
}

/// As the end of a program does with what it has written.
coro<> virtual_program::flush() {
  for (std::size_t index = 1; index <= 2; ++index) {
    std::optional<io::stream>& to = streams_[index];
    if (!to || !*to || to->unsent() == 0) continue;
    to->set_write_limits(0, 0);
    try {
      co_await to->drain();
    } catch (const std::system_error&) {
      // Nobody reads it any more.
    }
  }
}

// --- who it is --------------------------------------------------------------------------------------------------------

std::optional<std::string> virtual_program::environment(std::string_view variable) const {
  const auto found = environment_.find(variable);
  if (found != environment_.end()) return found->second;
  if (!knows_system_) return std::nullopt;
  const char* const set = std::getenv(std::string(variable).c_str());
  if (set == nullptr) return std::nullopt;
  return set;
}

io::stream& virtual_program::stream_of(std::size_t index) {
  if (wires_[index] != nullptr) streams_[index].emplace(std::move(wires_[index]));
  return *streams_[index];
}

// --- signals ----------------------------------------------------------------------------------------------------------

void virtual_program::set(int signal, disposition what) {
  if (signal <= 0 || signal >= NSIG)
    throw std::invalid_argument("no signal has the number " + std::to_string(signal));
  if (signal == SIGKILL || signal == SIGSTOP)
    throw std::invalid_argument("a program cannot say what becomes of SIGKILL and SIGSTOP");
  dispositions_[signal] = what;
}

virtual_program::disposition virtual_program::of(int signal) const noexcept {
  const auto found = dispositions_.find(signal);
  const disposition said = found != dispositions_.end() ? found->second : disposition::usual;
  return said == disposition::usual && does_nothing(signal) ? disposition::ignored : said;
}

coro<int> virtual_program::next_signal() {
  while (arrived_.empty()) {
    arrival_.clear();
    co_await arrival_.wait();
  }
  const int first = arrived_.front();
  arrived_.pop_front();
  co_return first;
}

int virtual_program::raise(int signal) noexcept {
  if (stops(signal)) return EOPNOTSUPP;
  if (!running() || signal == 0) return 0;
  pending_.insert(signal);
  signals_->ask(home_);
  return 0;
}

void virtual_program::broke_pipe() noexcept {
  if (!running()) return;
  if (of(SIGPIPE) == disposition::usual) pipe_broken_ = true;
  static_cast<void>(raise(SIGPIPE));
}

void virtual_program::take_signals() noexcept {
  in_.touched();
  std::set<int> due = std::exchange(pending_, {});
  if (!running()) return;
  if (due.contains(SIGKILL)) return end(-SIGKILL);
  for (const int signal : due) {
    const disposition what = of(signal);
    if (what == disposition::ignored) continue;
    if (what == disposition::usual) return end(-signal);
    in_.note(pid_, "gets signal " + std::to_string(signal));
    if (std::find(arrived_.begin(), arrived_.end(), signal) == arrived_.end())
      arrived_.push_back(signal);
    arrival_.set();
  }
}

// --- the end ----------------------------------------------------------------------------------------------------------

/// Its script has ended.
void virtual_program::over(int status, const std::exception_ptr& failed) noexcept {
  if (!running()) return;
  if (pipe_broken_) return end(-SIGPIPE);
  if (failed == nullptr) return end(status & 0xff);
  // The loop has cancelled what it waited for.
  if (home_.shutting_down() && was_cancelled(failed)) return end(-SIGKILL);
  home_.report({"program '" + name_ + "', process " + std::to_string(pid_) + ", failed", failed});
  end(-SIGABRT);
}

void virtual_program::end(int returncode) noexcept {
  if (!running()) return;
  in_.touched();
  returncode_ = returncode;
  in_.ended(*this);
  cancel_tasks();
  if (tasks_.empty()) return wound_up();
  tasks_.when_empty([](void* self) noexcept { static_cast<virtual_program*>(self)->wound_up(); },
                    this);
}

/// Also those that its script has made, which are its loop's.
void virtual_program::cancel_tasks() noexcept {
  tasks_.cancel_all_for_good();
  home_.tasks().for_each([this](task_base& each) {
    if (made(each) == pid_) each.cancel_for_good();
  });
}

void virtual_program::wound_up() noexcept {
  gone_ = true;
  exit_->ask(home_);
  const auto self = shared_from_this();
  in_.gone(*this);
  home_.service<programs_of_loop>().remove(*this);
}

void virtual_program::orphan() noexcept {
  orphaned_ = true;
  exit_->ask(home_);
  if (home_.shutting_down()) static_cast<void>(raise(SIGKILL));
}

void virtual_program::tell(io::internal::child_body::listener* told) noexcept {
  told_ = told;
  if (told_ != nullptr && (gone_ || orphaned_)) exit_->ask(home_);
}

void virtual_program::abandon() noexcept {
  end(-SIGKILL);
  tasks_.destroy_pending();
}

}  // namespace troupe::testing::internal
