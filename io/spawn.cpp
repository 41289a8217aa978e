// How a child begins: between `clone` and `execve` it runs in this process's memory, while the thread that made it stands still, as
// with posix_spawn. It therefore calls nothing but the system, takes no memory, and no signal handler of ours runs in it.
// See docs/decisions/0020-subprocesses.md.
#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/spawn.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>

// What runs in the child must not tell a sanitizer of it: what they know is of the parent.
#define TROUPE_IN_THE_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

// ThreadSanitizer takes the child of a `clone` for one with memory of its own, and notes in it, and so here, that all threads but one have gone.
// The C library's other name for it is not watched.
#if defined(__SANITIZE_THREAD__)
#define TROUPE_UNWATCHED_CLONE 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TROUPE_UNWATCHED_CLONE 1
#endif
#endif
#ifdef TROUPE_UNWATCHED_CLONE
extern "C" int __clone(int (*run)(void*), void* stack, int flags, void* argument, ...) noexcept;
#endif

namespace troupe::io::internal {

namespace {

template <class... Rest>
int start_clone(int (*run)(void*), void* stack, int flags, void* argument, Rest... rest) noexcept {
#ifdef TROUPE_UNWATCHED_CLONE
  return ::__clone(run, stack, flags, argument, rest...);
#else
  return ::clone(run, stack, flags, argument, rest...);
#endif
}

constexpr std::size_t stack_size = std::size_t{64} << 10;
constexpr int signals = 64;
#ifdef SYS_close_range
constexpr long close_range_call = SYS_close_range;
#else
constexpr long close_range_call = 436;
#endif
constexpr unsigned mark_close_on_exec = 4;  // CLOSE_RANGE_CLOEXEC

/// All that the child needs, and what it says when it cannot become its program.
struct orders {
  const char* const* candidates;
  char* const* arguments;
  char* const* environment;
  const char* cwd;  ///< or null
  int sources[3];   ///< what becomes its standard streams; -1 leaves one as it is
  bool merged;
  process_group group;
  const launch_limit* limits;
  std::size_t limit_count;
  const int* pass;
  std::size_t pass_count;
  long umask;  ///< or -1

  spawn_error::step failed_at = spawn_error::step::program;
  int error = 0;
};

TROUPE_IN_THE_CHILD long call(long number, long a = 0, long b = 0, long c = 0,
                              long d = 0) noexcept {
  return ::syscall(number, a, b, c, d);
}
template <class T>
TROUPE_IN_THE_CHILD long address_of(const T* pointer) noexcept {
  return reinterpret_cast<long>(pointer);
}

/// To the default, all of them; but those that nohup and shells have a program ignore stay ignored.
TROUPE_IN_THE_CHILD void reset_signals() noexcept {
  constexpr long mask_size = signals / 8;
  for (int number = 1; number <= signals; ++number) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    unsigned long action[8] = {};  // no less than the system's own
    if (number == SIGHUP || number == SIGINT || number == SIGQUIT) {
      call(SYS_rt_sigaction, number, 0, address_of(action), mask_size);
      if (action[0] == 1 /* SIG_IGN */) continue;
      for (unsigned long& each : action) each = 0;
    }
    call(SYS_rt_sigaction, number, address_of(action), 0, mask_size);
  }
}

TROUPE_IN_THE_CHILD bool set_streams(orders& given) noexcept {
  // First those out of the way that would be overwritten.
  for (int index = 0; index < 3; ++index) {
    int& source = given.sources[index];
    if (source < 0 || source > 2 || source == index) continue;
    source = static_cast<int>(call(SYS_fcntl, source, F_DUPFD_CLOEXEC, 3));
    if (source < 0) return false;
  }
  for (int index = 0; index < 3; ++index) {
    const int source = index == 2 && given.merged ? 1 : given.sources[index];
    if (source < 0) continue;
    const long done =
        source == index ? call(SYS_fcntl, source, F_SETFD, 0) : call(SYS_dup3, source, index, 0);
    if (done < 0) return false;
  }
  return true;
}

/// Nothing but the standard streams, and what was asked for, goes on into the program.
TROUPE_IN_THE_CHILD bool mark_descriptors(const orders& given) noexcept {
  if (call(close_range_call, 3, ~0U, mark_close_on_exec) < 0) {
    rlimit most{};
    call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, address_of(&most));
    for (long each = 3; each < static_cast<long>(most.rlim_cur); ++each)
      call(SYS_fcntl, each, F_SETFD, FD_CLOEXEC);
  }
  for (std::size_t index = 0; index < given.pass_count; ++index) {
    if (call(SYS_fcntl, given.pass[index], F_SETFD, 0) < 0) return false;
  }
  return true;
}

TROUPE_IN_THE_CHILD bool set_limits(const orders& given) noexcept {
  for (std::size_t index = 0; index < given.limit_count; ++index) {
    const auto& each = given.limits[index];
    if (call(SYS_prlimit64, 0, each.resource, address_of(&each.values), 0) < 0) return false;
  }
  return true;
}

/// Comes back when none of the candidates can be executed; `errno` says why.
TROUPE_IN_THE_CHILD void become_program(const orders& given) noexcept {
  bool denied = false;
  for (const char* const* each = given.candidates; *each != nullptr; ++each) {
    call(SYS_execve, address_of(*each), address_of(given.arguments), address_of(given.environment));
    if (errno == EACCES) denied = true;
    // As the C library's own search does: what is not there is looked for further on.
    if (errno != EACCES && errno != ENOENT && errno != ENOTDIR && errno != ELOOP &&
        errno != ENAMETOOLONG && errno != ESTALE && errno != ENODEV && errno != ETIMEDOUT)
      return;
  }
  if (denied) errno = EACCES;
}

TROUPE_IN_THE_CHILD spawn_error::step prepare_and_become(orders& given) noexcept {
  using step = spawn_error::step;
  reset_signals();
  if (given.group == process_group::session) {
    if (call(SYS_setsid) < 0) return step::session;
  } else if (given.group == process_group::own) {
    if (call(SYS_setpgid) < 0) return step::session;
  }
  if (!set_streams(given)) return step::streams;
  if (given.cwd != nullptr && call(SYS_chdir, address_of(given.cwd)) < 0) return step::cwd;
  if (given.umask >= 0) call(SYS_umask, given.umask);
  if (!mark_descriptors(given)) return step::descriptors;
  if (!set_limits(given)) return step::limits;
  const unsigned long none[2] = {};
  call(SYS_rt_sigprocmask, SIG_SETMASK, address_of(none), 0, signals / 8);
  become_program(given);
  return step::program;
}

TROUPE_IN_THE_CHILD int child_main(void* argument) noexcept {
  orders& given = *static_cast<orders*>(argument);
  errno = 0;
  given.failed_at = prepare_and_become(given);
  given.error = errno != 0 ? errno : ENOEXEC;
  for (;;) call(SYS_exit_group, 127);
}

/// All signals are held back, also those that the C library keeps for itself, or a handler would run in the child, in our memory.
class no_signals {
 public:
  no_signals() noexcept {
    unsigned long all[2] = {~0UL, ~0UL};
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, all, before_, signals / 8);
  }
  ~no_signals() { ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, before_, nullptr, signals / 8); }
  no_signals(const no_signals&) = delete;
  no_signals& operator=(const no_signals&) = delete;

 private:
  unsigned long before_[2] = {};
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const std::string& each : texts) all.push_back(const_cast<char*>(each.c_str()));
  all.push_back(nullptr);
  return all;
}

}  // namespace

#undef TROUPE_IN_THE_CHILD

spawn_stack::~spawn_stack() {
  if (memory_ != nullptr) ::munmap(memory_, stack_size);
}

void* spawn_stack::top() {
  if (memory_ == nullptr) {
    void* const made = ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (made == MAP_FAILED) throw std::bad_alloc();
    memory_ = made;
  }
  return static_cast<char*>(memory_) + stack_size;
}

/// One start of a child: what it needs is made, used once, and goes.
class spawning {
 public:
  explicit spawning(const launch& wanted) : wanted_(wanted) {}

  spawned start(spawn_stack& stack) {
    for (std::size_t index = 0; index < 3; ++index) open_way(index);
    spawned made;
    orders given = make_orders();
    int handle = -1;
    void* const top = stack.top();
    int error = 0;
    {
      const no_signals held;
      made.pid = start_clone(&child_main, top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                             &given, &handle);
      error = errno;
    }
    if (made.pid < 0) fail(spawn_error::step::process, error);
    made.handle = descriptor(handle);
    if (given.error != 0) {
      siginfo_t gone{};
      while (::waitid(static_cast<idtype_t>(3) /* P_PIDFD */, static_cast<id_t>(handle), &gone,
                      WEXITED) < 0 &&
             errno == EINTR) {
      }
      fail(given.failed_at, given.error);
    }
    made.pipes = std::move(ours_);
    return made;
  }

 private:
  void open_way(std::size_t index) {
    const launch::way& way = wanted_.ways_[index];
    const bool reads = index == 0;
    switch (way.kind) {
      case stdio::to::inherit:
      case stdio::to::merged:
        return;
      case stdio::to::descriptor:
        sources_[index] = way.native;
        return;
      case stdio::to::pipe: {
        int both[2];
        if (::pipe2(both, O_CLOEXEC) != 0) fail(spawn_error::step::streams, errno, "a pipe");
        theirs_[index] = descriptor(both[reads ? 0 : 1]);
        ours_[index] = descriptor(both[reads ? 1 : 0]);
        // Ours only: each end of a new pipe is opened for itself.
        if (::fcntl(ours_[index].get(), F_SETFL, (reads ? O_WRONLY : O_RDONLY) | O_NONBLOCK) != 0)
          fail(spawn_error::step::streams, errno, "a pipe");
        break;
      }
      case stdio::to::null:
        open_file(index, "/dev/null", O_RDWR);
        break;
      case stdio::to::file:
        open_file(index, way.path, reads ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC);
        break;
      case stdio::to::append:
        open_file(index, way.path, reads ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND);
        break;
    }
    sources_[index] = theirs_[index].get();
  }

  void open_file(std::size_t index, const std::string& path, int how) {
    theirs_[index] = descriptor(::open(path.c_str(), how | O_CLOEXEC | O_NOCTTY, 0666));
    if (!theirs_[index]) fail(spawn_error::step::streams, errno, "'" + path + "'");
  }

  orders make_orders() {
    candidates_ = pointers_to(wanted_.candidates_);
    arguments_ = pointers_to(wanted_.arguments_);
    if (wanted_.own_environment_) environment_ = pointers_to(wanted_.environment_);
    orders given{};
    given.candidates = candidates_.data();
    given.arguments = arguments_.data();
    given.environment = wanted_.own_environment_ ? environment_.data() : ::environ;
    given.cwd = wanted_.cwd_.empty() ? nullptr : wanted_.cwd_.c_str();
    for (std::size_t index = 0; index < 3; ++index) given.sources[index] = sources_[index];
    given.merged = wanted_.ways_[2].kind == stdio::to::merged;
    given.group = wanted_.group_;
    given.limits = wanted_.limits_.data();
    given.limit_count = wanted_.limits_.size();
    given.pass = wanted_.pass_.data();
    given.pass_count = wanted_.pass_.size();
    given.umask = wanted_.umask_ ? static_cast<long>(*wanted_.umask_) : -1;
    return given;
  }

  [[noreturn]] void fail(spawn_error::step at, int error, const std::string& with = {}) const;

  const launch& wanted_;
  int sources_[3] = {-1, -1, -1};
  std::array<descriptor, 3> theirs_;
  std::array<descriptor, 3> ours_;
  std::vector<char*> candidates_;
  std::vector<char*> arguments_;
  std::vector<char*> environment_;
};

void spawning::fail(spawn_error::step at, int error, const std::string& with) const {
  using step = spawn_error::step;
  std::string what = "starting '" + wanted_.program() + "'";
  switch (at) {
    case step::streams:
      what += ": its standard streams" + (with.empty() ? std::string() : ", " + with);
      break;
    case step::process:
      what += error == EMFILE || error == ENFILE ? ": no descriptor is left to follow it by"
                                                 : ": there can be no further process";
      break;
    case step::session:
      what += ": its process group";
      break;
    case step::limits:
      what += ": its resource limits";
      break;
    case step::cwd:
      what += ": its folder '" + wanted_.cwd_ + "'";
      break;
    case step::descriptors:
      what += ": a descriptor to pass on";
      break;
    case step::program:
      if (error == ENOENT && ::access(wanted_.candidates_.front().c_str(), F_OK) == 0) {
        what += ": it is there, but not the interpreter that it names";
      } else if (error == ENOENT && wanted_.candidates_.size() > 1) {
        what += ": it is in no folder of PATH";
      } else if (error == EACCES) {
        what += ": it is there, but may not be executed";
      }
      break;
  }
  throw spawn_error(at, {error, std::generic_category()}, what);
}

spawned spawn(const launch& wanted, spawn_stack& stack) { return spawning(wanted).start(stack); }

}  // namespace troupe::io::internal
