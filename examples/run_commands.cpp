// Many commands, but only so many at a time, as `make -j` runs them: each line of output is shown as it comes, with the name of its
// command, and a line of progress says how far it is. A command that takes too long is ended, with all that it has started.
// Run: run_commands [COMMAND...]        Prints: the lines of the commands, then how many went well
#include <troupe/io/process.hpp>
#include <troupe/troupe.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace io = troupe::io;

/// What is shown: lines, and below them how far it is. A terminal shows it at every change, a file gets it at the end only.
class display {
 public:
  explicit display(std::size_t all) : all_(all) {}

  void line(const std::string& who, const std::string& text) {
    std::printf("%s[%s] %s\n", erase_, who.c_str(), text.c_str());
    progress();
  }
  void begun() { most_ = std::max(most_, ++running_); }
  void ended(const std::string& who, const std::string& how) {
    --running_;
    ++(how == "done" ? well_ : failed_);
    line(who, how);
  }
  std::size_t well() const { return well_; }
  std::size_t most() const { return most_; }
  void summary() const {
    std::printf("%s%zu of %zu went well, at most %zu at a time\n", erase_, well_, all_, most_);
  }

 private:
  void progress() const {
    if (*erase_ == '\0') return;
    std::printf("%zu of %zu done, %zu running, %zu failed", well_ + failed_, all_, running_,
                failed_);
    std::fflush(stdout);
  }

  const char* erase_ = ::isatty(1) != 0 ? "\r\x1b[K" : "";
  std::size_t all_;
  std::size_t running_ = 0;
  std::size_t most_ = 0;
  std::size_t well_ = 0;
  std::size_t failed_ = 0;
};

// [command]
/// Runs one command when there is room, and shows its lines as they come. Its place is free when the command has ended, and no sooner:
/// also one that took too long, or whose task was cancelled, is told to end and waited for.
troupe::coro<> run_command(troupe::semaphore& room, display& shown, std::string name,
                           std::string command) {
  const auto place = co_await room.scoped();
  shown.begun();
  std::string how;
  std::optional<io::process> child;
  auto run = [&]() -> troupe::coro<> {
    child = co_await io::subprocess_shell(
        command,
        {.input = io::stdio::null, .output = io::stdio::pipe, .errors = io::stdio::merged});
    while (auto line = co_await child->output().next_line()) shown.line(name, *line);
    const int code = co_await child->wait();
    how = code == 0 ? "done" : "failed with " + std::to_string(code);
  };
  std::exception_ptr given_up;
  try {
    co_await troupe::timeout(20s, run);
  } catch (const std::exception& error) {  // too late, too long a line, no such program
    how = error.what();
  } catch (const troupe::cancelled&) {
    how = "given up";
    given_up = std::current_exception();
  }
  if (child) {
    auto stop = [&]() -> troupe::coro<> { co_await child->stop(); };  // nothing to do when it has
    troupe::cancel_scope to_the_end;
    to_the_end.set_shield(true);  // a cancellation waits for that
    co_await to_the_end.run(stop);
  }
  shown.ended(name, how);
  if (given_up) std::rethrow_exception(given_up);
}

troupe::coro<> run_all(std::vector<std::string> commands, display& shown) {
  troupe::semaphore room(3);
  troupe::task_group group;
  auto body = [&]() -> troupe::coro<> {
    for (std::size_t each = 0; each < commands.size(); ++each)
      group.create_task(run_command(room, shown, std::to_string(each + 1), commands[each]));
    co_return;
  };
  co_await group.run(body);
}
// [/command]

troupe::coro<int> amain(std::vector<std::string> commands) {
  const bool ours = commands.empty();
  if (ours) {
    for (int each = 1; each <= 8; ++each)
      commands.push_back("echo begins; sleep 0.0" + std::to_string(9 - each) + "; echo ends");
    commands.emplace_back("echo this one fails >&2; exit 3");
  }
  display shown(commands.size());
  co_await run_all(commands, shown);
  shown.summary();
  const std::size_t to_fail = ours ? 1 : 0;
  co_return shown.most() <= 3 && shown.well() + to_fail == commands.size() ? 0 : 1;
}

int main(int argc, char** argv) {
  return troupe::run_main(amain(std::vector<std::string>(argv + 1, argv + argc)));
}
