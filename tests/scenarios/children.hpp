// What the tests of child processes share.
#pragma once

#include <troupe/io/process.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/support.hpp"
#include "support/catch.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

inline constexpr io::process_options piped = {
    .input = io::stdio::pipe, .output = io::stdio::pipe, .errors = io::stdio::pipe};
inline constexpr io::process_options reading = {.output = io::stdio::pipe};

/// Whether this process has a child at all that has not been collected.
inline bool has_children() {
  siginfo_t found{};
  return ::waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// The state of a process as /proc has it, such as 'R', 'S' or 'Z'; 0 when there is none.
inline char state_of(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return '\0';
  const std::size_t closing = line.rfind(')');
  return closing + 2 < line.size() ? line[closing + 2] : '\0';
}
/// Whether it is there and has not ended. Whether one that has ended was collected by its parent is not ours to say.
inline bool alive(int pid) {
  const char state = state_of(pid);
  return state != '\0' && state != 'Z' && state != 'X';
}

/// As `run_scenario`, and no child is left.
inline void run_with_children(coro<> body, std::size_t threads = 1,
                              failure_log* expected = nullptr) {
  REQUIRE_FALSE(has_children());
  run_scenario(std::move(body), threads, expected);
  CHECK_FALSE(has_children());
}

/// What `run` throws, in words; nothing when it throws nothing.
template <class T>
coro<std::string> failure_of(coro<T> run) {
  try {
    static_cast<void>(co_await std::move(run));
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "";
}

/// How starting a child fails.
struct failed_start {
  bool failed = false;
  io::spawn_error::step at{};
  std::error_code code;
  std::string text;
};
inline coro<failed_start> start_failing(std::string program, std::vector<std::string> arguments,
                                        io::process_options options) {
  failed_start result;
  try {
    io::process child =
        co_await io::subprocess_exec(std::move(program), std::move(arguments), options);
  } catch (const io::spawn_error& error) {
    result = {true, error.at(), error.code(), error.what()};
  }
  co_return result;
}

/// Reads a number that a child writes as its first line.
inline coro<int> number_from(io::stream& from) {
  const std::string line = co_await from.read_line();
  co_return std::atoi(line.c_str());
}

}  // namespace troupe::testing
