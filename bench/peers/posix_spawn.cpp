// What the machine can do with child processes: a plain loop of posix_spawn and waitpid, and one of poll, read and write for bytes
// that go through a child.
#include "../harness.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

extern char** environ;

namespace {

constexpr std::int64_t children_in_all = 500;
constexpr std::int64_t at_a_time = 32;
constexpr std::int64_t kibibytes = 100 * 1024;

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

pid_t start(const char* path, const posix_spawn_file_actions_t* actions) {
  char* const arguments[] = {const_cast<char*>(path), nullptr};
  pid_t child = -1;
  require(::posix_spawn(&child, path, actions, nullptr, arguments, environ) == 0, "posix_spawn");
  return child;
}

double start_all(std::int64_t count) {
  const bench::stopwatch watch;
  std::int64_t begun = 0;
  for (std::int64_t ended = 0; ended != count;) {
    if (begun != count && begun - ended < at_a_time) {
      start("/bin/true", nullptr);
      ++begun;
      continue;
    }
    int status = 0;
    require(::waitpid(-1, &status, 0) > 0 && status == 0, "waitpid");
    ++ended;
  }
  return watch.nanoseconds();
}

double through_cat(std::int64_t count) {
  const std::string sent(static_cast<std::size_t>(count) * 1024, 'x');
  std::string got(sent.size(), '\0');
  const bench::stopwatch watch;
  int there[2];
  int back[2];
  require(::pipe2(there, O_CLOEXEC) == 0 && ::pipe2(back, O_CLOEXEC) == 0, "pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, there[0], 0);
  posix_spawn_file_actions_adddup2(&actions, back[1], 1);
  const pid_t child = start("/bin/cat", &actions);
  posix_spawn_file_actions_destroy(&actions);
  ::close(there[0]);
  ::close(back[1]);
  ::fcntl(there[1], F_SETFL, O_NONBLOCK);
  ::fcntl(back[0], F_SETFL, O_NONBLOCK);
  std::size_t written = 0;
  std::size_t read = 0;
  while (read != sent.size()) {
    pollfd both[2] = {{there[1], static_cast<short>(written != sent.size() ? POLLOUT : 0), 0},
                      {back[0], POLLIN, 0}};
    require(::poll(both, 2, -1) > 0, "poll");
    if (written != sent.size() && (both[0].revents & POLLOUT) != 0) {
      const ssize_t put = ::write(there[1], sent.data() + written, sent.size() - written);
      require(put > 0 || errno == EAGAIN, "write");
      if (put > 0) written += static_cast<std::size_t>(put);
      if (written == sent.size()) ::close(std::exchange(there[1], -1));
    }
    if ((both[1].revents & POLLIN) != 0) {
      const ssize_t taken = ::read(back[0], got.data() + read, got.size() - read);
      require(taken > 0 || errno == EAGAIN, "read");
      if (taken > 0) read += static_cast<std::size_t>(taken);
    }
  }
  ::close(back[0]);
  int status = 0;
  require(::waitpid(child, &status, 0) == child && status == 0, "waitpid");
  return watch.nanoseconds();
}

template <double (*Case)(std::int64_t), std::int64_t Count>
double measure(const bench::request& wanted) {
  return bench::per_operation(wanted, Case, Count, Count);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"children", "posix_spawn", 1, "ns", measure<start_all, children_in_all>},
                      {"communicate", "posix_spawn", 1, "ns", measure<through_cat, kibibytes>}});
}
