// `printf ... | sort | uniq -c`, without a shell: three programs, joined by pipes of the system's, so that no byte of theirs passes
// through this process. It feeds the first and reads from the last, and sees how each has ended.
// Run: shell_pipeline        Prints: how often each word was there, and the programs' returncodes
#include <troupe/io/pipe.hpp>
#include <troupe/io/process.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace io = troupe::io;

// [pipeline]
using program = std::vector<std::string>;  // its name, then its arguments

/// Starts the programs in a row: the output of each is the input of the next.
troupe::coro<std::vector<io::process>> start_pipeline(std::vector<program> programs) {
  std::vector<io::process> running;
  io::descriptor from_before;
  for (program& each : programs) {
    const bool last = &each == &programs.back();
    io::pipe_ends between;
    if (!last) between = io::open_pipe();
    const io::process_options options = {
        .input = from_before ? io::stdio::use(from_before.get()) : io::stdio::pipe,
        .output = last ? io::stdio::pipe : io::stdio::use(between.write.get())};
    std::vector<std::string> arguments(each.begin() + 1, each.end());
    running.push_back(co_await io::subprocess_exec(each.front(), std::move(arguments), options));
    from_before = std::move(between.read);  // who keeps an end open here keeps the pipe from ending
  }
  co_return running;
}
// [/pipeline]

troupe::coro<int> amain() {
  std::vector<program> programs = {{"tr", " ", "\n"}, {"sort"}, {"uniq", "-c"}};
  std::vector<io::process> running = co_await start_pipeline(std::move(programs));
  io::stream& first = running.front().input();
  first.write("a rose is a rose is a rose\n");
  co_await first.drain();
  first.close();

  auto lines = [&]() -> troupe::coro<int> {
    int words = 0;
    while (auto line = co_await running.back().output().next_line()) {
      std::printf("%s\n", line->c_str());
      ++words;
    }
    co_return words;
  };
  const int words = co_await troupe::timeout(30s, lines);

  bool well = words == 3;
  for (io::process& each : running) {
    const int code = co_await each.wait();
    std::printf("returncode %d\n", code);
    well = well && code == 0;
  }
  co_return well ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
