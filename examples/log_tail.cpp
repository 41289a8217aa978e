// A log is followed while a program writes it and rotates it away: an actor gets its lines, as many as it asks for, and counts those
// that tell of an error. Ctrl-C ends it early.
// Run: log_tail        Prints: the errors as they come, each new file, and the counts at the end
#include <troupe/io/file_system.hpp>
#include <troupe/io/file_tail.hpp>
#include <troupe/io/signal_actor.hpp>
#include <troupe/troupe.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace io = troupe::io;
using namespace std::chrono_literals;

constexpr int lines = 60;
constexpr int lines_per_file = 20;

// [write]
/// What some other program does: writes lines, and moves the file away now and then.
troupe::coro<> write_log(std::string path) {
  io::file log = co_await io::open_file(path, io::to_append);
  for (int line = 1; line <= lines; ++line) {
    const char* const level = line % 12 == 0 ? "error" : "info";
    co_await log.write(std::string(level) + ": request " + std::to_string(line) + "\n");
    if (line % lines_per_file == 0 && line != lines) {
      co_await io::rename_path(path, path + "." + std::to_string(line / lines_per_file));
      log = co_await io::open_file(path, io::to_append);
    }
    co_await troupe::sleep(1ms);
  }
  co_await log.write("end of the day\n");
  co_await log.close();
}
// [/write]

struct counts {
  int lines = 0;
  int errors = 0;
  int files = 1;
};

// [tail]
using observer_protocol =
    troupe::protocol<io::tail_data, io::tail_restarted, io::tail_ended, io::signal_received>;

class observer : public troupe::actor<observer_protocol> {
 public:
  observer(std::string path, counts& into) : counts_(into) {
    log_ = spawn<io::file_tail>(std::move(path), self(), io::tail_options{.from_start = true});
    log_.tell(io::tail_demand{10});  // ten lines on their way, and no more
    spawn<io::signal_actor>(std::vector<int>{SIGINT, SIGTERM}, self());
  }

  void on(io::tail_data d) {
    log_.tell(io::tail_demand{1});
    if (d.chunk.text() == "end of the day") return stop();
    ++counts_.lines;
    if (!d.chunk.text().starts_with("error")) return;
    ++counts_.errors;
    std::printf("%s\n", std::string(d.chunk.text()).c_str());
  }
  void on(io::tail_restarted) { std::printf("file %d\n", ++counts_.files); }
  void on(io::tail_ended e) {
    std::printf("the log cannot be followed: %s\n", e.reason.message().c_str());
    stop();
  }
  void on(io::signal_received s) {
    std::printf("signal %d, finishing\n", s.number);
    stop();
  }

 private:
  counts& counts_;
  troupe::actor_ref<io::tail> log_;
};
// [/tail]

troupe::coro<int> amain() {
  const io::temporary place = co_await io::temporary_directory();
  const std::string path = place.path() + "/app.log";
  counts counted;
  auto watching = troupe::spawn<observer>(path, counted);
  auto writing = troupe::create_task(write_log(path));
  co_await watching.stopped();
  writing.cancel();
  std::printf("%d lines in %d files, %d errors\n", counted.lines, counted.files, counted.errors);
  co_return counted.lines == lines&& counted.errors == lines / 12 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
