// Programs of others, which know nothing of troupe: started by means of the system alone.
#pragma once

#include <troupe/io/socket.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/sleep.hpp>

#include "support/catch.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

using namespace std::chrono_literals;

/// Whether this machine lacks a program; then it says so.
inline bool lacks(const std::string& name) {
  const char* const path = std::getenv("PATH");
  const std::string folders = path != nullptr ? path : "";
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    if (::access((folders.substr(at, end - at) + "/" + name).c_str(), X_OK) == 0) return false;
    at = end + 1;
  }
  WARN("skipped: this machine has no " << name);
  return true;
}

/// A program with its input and output in our hands. Killed and reaped when this goes.
class real_program {
 public:
  /// Where its standard error goes.
  enum class errors { as_ours, to_output };
  explicit real_program(std::vector<std::string> command, errors told = errors::as_ours) {
    int to[2];
    int from[2];
    REQUIRE(::pipe2(to, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(from, O_CLOEXEC) == 0);
    std::vector<char*> words;
    for (std::string& each : command) words.push_back(each.data());
    words.push_back(nullptr);
    id_ = ::fork();
    REQUIRE(id_ >= 0);
    if (id_ == 0) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      if (told == errors::to_output) ::dup2(from[1], 2);
      ::execvp(words[0], words.data());
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = io::descriptor(to[1]);
    from_ = io::descriptor(from[0]);
    REQUIRE(::fcntl(from_.get(), F_SETFL, O_NONBLOCK) == 0);
  }
  ~real_program() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  real_program(const real_program&) = delete;
  real_program& operator=(const real_program&) = delete;

  void say(std::string_view text) {
    REQUIRE(::write(to_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void end_input() { to_.close(); }
  pid_t id() const noexcept { return id_; }
  void send(int signal) const { REQUIRE(::kill(id_, signal) == 0); }
  const std::string& said() const noexcept { return said_; }
  /// Waits until it has said this, or ended.
  coro<> until(std::string what) {
    while (said_.find(what) == std::string::npos && listen()) co_await sleep(1ms);
  }
  /// Waits for its end: its exit status, or less than nothing for a signal.
  coro<int> status() {
    while (listen()) co_await sleep(1ms);
    int status = 0;
    while (::waitpid(id_, &status, WNOHANG) == 0) co_await sleep(1ms);
    id_ = -1;
    co_return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  /// Whether there may be more.
  bool listen() {
    char some[4096];
    for (;;) {
      const ssize_t got = ::read(from_.get(), some, sizeof some);
      if (got > 0) said_.append(some, static_cast<std::size_t>(got));
      if (got == 0) return false;
      if (got < 0 && errno != EINTR) return errno == EAGAIN;
    }
  }
  pid_t id_ = -1;
  io::descriptor to_;
  io::descriptor from_;
  std::string said_;
};

}  // namespace troupe::testing
