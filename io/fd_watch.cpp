#include <troupe/io/fd_watch.hpp>
#include <troupe/io/socket.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace troupe::io::internal {

namespace {

class fd_watches;

std::uint32_t mask_of(const fd_events& wanted) noexcept {
  return (wanted.readable ? std::uint32_t{EPOLLIN | EPOLLRDHUP} : 0U) |
         (wanted.writable ? std::uint32_t{EPOLLOUT} : 0U);
}

fd_events events_of(std::uint32_t mask) noexcept {
  const bool failed = (mask & EPOLLERR) != 0;
  const bool over = failed || (mask & EPOLLHUP) != 0;
  return {.readable = over || (mask & (EPOLLIN | EPOLLRDHUP)) != 0,
          .writable = over || (mask & EPOLLOUT) != 0,
          .failed = failed};
}

bool meets(const fd_events& wanted, const fd_events& found) noexcept {
  return (wanted.readable && found.readable) || (wanted.writable && found.writable);
}

std::exception_ptr closed_error(int number) {
  return std::make_exception_ptr(
      std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                        "descriptor " + std::to_string(number) +
                            " was closed while an fd_watch watched it: release the watch first"));
}

/// One file under one number, and those who watch it. It is known to the system by `serial`, never by its address or number, so that
/// what the system still has of a file that was closed behind our back finds nobody.
struct watched_fd {
  int number;
  std::uint64_t serial;
  std::uint32_t armed = 0;
  std::vector<fd_watch_core*> watches;
};

}  // namespace

/// What is behind an `fd_watch`. Counted by it and by a call that is under way.
class fd_watch_core {
 public:
  fd_watch_core(fd_watches& all, watched_fd& of) noexcept : all_(&all), of_(&of) {}

  void retain() noexcept { ++count_; }
  void release() noexcept {
    if (--count_ == 0) delete this;
  }

  int number() const noexcept { return of_ != nullptr ? of_->number : -1; }
  void begin(fd_wait& wait);
  /// A wait has begun: those that found the descriptor closed have failed then.
  void arm() noexcept;
  void call_on(fd_events wanted, callable<void(fd_events)> told);
  void let_go() noexcept;

  // --- for fd_watches ---
  std::uint32_t wanted() noexcept;
  void tell(const fd_events& found) noexcept;
  /// The descriptor was closed behind our back, or the loop goes.
  void lose(const std::exception_ptr& error, bool loop_goes) noexcept;

 private:
  ~fd_watch_core() = default;
  void fail_waits(const std::exception_ptr& error) noexcept;
  void call(const fd_events& found) noexcept;
  void expect_held() const;

  unsigned count_ = 1;
  fd_watches* all_;
  watched_fd* of_;  ///< null when it was released
  troupe::internal::chain<fd_wait> waits_;
  callable<void(fd_events)> told_;
  fd_events told_of_;
  std::uint64_t registration_ = 0;
  bool call_under_way_ = false;
};

namespace {

/// The foreign descriptors of a loop: an epoll set of their own, which the loop's watches. The loop's own set holds addresses of
/// listeners, which must not be left behind in it; who closes a descriptor too early leaves them.
class fd_watches final : public loop_service, private troupe::internal::poller::listener {
 public:
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }

  ~fd_watches() override {
    const auto error = std::make_exception_ptr(invalid_state("the loop of an fd_watch has closed"));
    while (!by_number_.empty()) forget(*by_number_.begin()->second, error, true);
    if (set_) troupe::internal::poller_of(*home_).remove(set_.get(), *this);
  }

  loop& home() const noexcept { return *home_; }

  /// Errors: std::system_error.
  watched_fd& watch(loop& home, int number) {
    open(home);
    if (const auto found = by_number_.find(number); found != by_number_.end()) {
      watched_fd& known = *found->second;
      if (change(known, known.armed)) return known;
      forget(known, closed_error(number));  // its number has gone to another
    }
    auto made = std::make_unique<watched_fd>(watched_fd{number, ++serials_, 0, {}});
    if (!control(EPOLL_CTL_ADD, *made, 0) &&
        !(errno == EEXIST && control(EPOLL_CTL_MOD, *made, 0))) {
      throw std::system_error(errno, std::generic_category(),
                              "watching descriptor " + std::to_string(number) +
                                  (errno == EPERM ? ", a plain file, which is always ready" : ""));
    }
    by_serial_[made->serial] = made.get();
    return *(by_number_[number] = std::move(made));
  }

  void add(watched_fd& to, fd_watch_core& watch) { to.watches.push_back(&watch); }
  void remove(watched_fd& from, fd_watch_core& watch) noexcept {
    std::erase(from.watches, &watch);
    if (!from.watches.empty()) return;
    const int number = from.number;
    const bool was_there = control(EPOLL_CTL_DEL, from, 0);
    by_serial_.erase(from.serial);
    by_number_.erase(number);
    if (!was_there)
      home_->report({"the release of an fd_watch came too late", closed_error(number)});
  }

  /// Has the system tell what is wanted. False, and all that watch it are told, when it has been closed.
  bool arm(watched_fd& of) noexcept {
    std::uint32_t wanted = 0;
    for (fd_watch_core* const each : of.watches) wanted |= each->wanted();
    if ((wanted & ~of.armed) == 0 || change(of, wanted)) return true;
    forget(of, closed_error(of.number));
    return false;
  }

 private:
  bool control(int what, watched_fd& of, std::uint32_t events) noexcept {
    epoll_event wanted{};
    wanted.events = events | EPOLLONESHOT;
    wanted.data.u64 = of.serial;
    return ::epoll_ctl(set_.get(), what, of.number, &wanted) == 0;
  }
  bool change(watched_fd& of, std::uint32_t events) noexcept {
    if (!control(EPOLL_CTL_MOD, of, events)) return false;
    of.armed = events;
    return true;
  }
  void forget(watched_fd& lost, const std::exception_ptr& error, bool loop_goes = false) noexcept {
    const auto found = by_number_.find(lost.number);
    const std::unique_ptr<watched_fd> owned = std::move(found->second);
    by_number_.erase(found);
    by_serial_.erase(owned->serial);
    for (fd_watch_core* const each : owned->watches) each->lose(error, loop_goes);
  }
  void open(loop& home) {
    if (set_) return;
    descriptor made(::epoll_create1(EPOLL_CLOEXEC));
    if (!made)
      throw std::system_error(errno, std::generic_category(),
                              "an epoll set of foreign descriptors");
    troupe::internal::poller_of(home).add(made.get(), *this, EPOLLIN);
    set_ = std::move(made);
    home_ = &home;
  }

  void on_events(std::uint32_t) noexcept override {
    epoll_event events[32];
    // What does not fit comes with the next look of the loop.
    const int count = ::epoll_wait(set_.get(), events, 32, 0);
    for (int index = 0; index < count; ++index) {
      const auto found = by_serial_.find(events[index].data.u64);
      if (found == by_serial_.end()) continue;
      watched_fd& of = *found->second;
      of.armed = 0;
      // Nothing of the user's runs in here.
      for (fd_watch_core* const each : of.watches) each->tell(events_of(events[index].events));
      arm(of);
    }
  }

  loop* home_ = nullptr;
  descriptor set_;
  std::map<int, std::unique_ptr<watched_fd>> by_number_;
  std::map<std::uint64_t, watched_fd*> by_serial_;
  std::uint64_t serials_ = 0;
};

}  // namespace

// --- one watch --------------------------------------------------------------------------------------------------------

std::uint32_t fd_watch_core::wanted() noexcept {
  std::uint32_t all = told_ && !call_under_way_ ? mask_of(told_of_) : 0;
  troupe::internal::chain<fd_wait> seen;
  while (fd_wait* const each = waits_.pop()) {
    all |= mask_of(each->wanted_);
    seen.push(*each);
  }
  while (fd_wait* const each = seen.pop()) waits_.push(*each);
  return all;
}

void fd_watch_core::tell(const fd_events& found) noexcept {
  troupe::internal::chain<fd_wait> left;
  while (fd_wait* const each = waits_.pop()) {
    if (meets(each->wanted_, found)) {
      each->tell(found);
    } else {
      left.push(*each);
    }
  }
  while (fd_wait* const each = left.pop()) waits_.push(*each);
  if (told_ && !call_under_way_ && meets(told_of_, found)) call(found);
}

void fd_watch_core::call(const fd_events& found) noexcept {
  call_under_way_ = true;
  retain();
  struct hold {
    explicit hold(fd_watch_core& of) noexcept : core(&of) {}
    hold(hold&& other) noexcept : core(std::exchange(other.core, nullptr)) {}
    ~hold() {
      if (core != nullptr) core->release();
    }
    fd_watch_core* core;
  };
  all_->home().call_soon([held = hold(*this), found, number = registration_] {
    fd_watch_core& self = *held.core;
    self.call_under_way_ = false;
    if (self.registration_ != number) {
      // Another has taken its place, for which nothing was armed meanwhile.
      if (self.of_ != nullptr && self.told_) self.all_->arm(*self.of_);
      return;
    }
    const callable<void(fd_events)> running = self.told_;  // it may take itself away
    // Before the call, which may throw: what it then reads is not told again.
    if (self.of_ != nullptr) self.all_->arm(*self.of_);
    if (running) running(found);
  });
}

void fd_watch_core::lose(const std::exception_ptr& error, bool loop_goes) noexcept {
  of_ = nullptr;
  fail_waits(error);
  if (told_ && !call_under_way_ && !loop_goes) call({.failed = true});
}

void fd_watch_core::expect_held() const {
  if (of_ == nullptr) throw invalid_state("an fd_watch was used after its release");
  if (loop::current() != &all_->home())
    throw invalid_state("an fd_watch was used on another loop than its own");
}

void fd_watch_core::fail_waits(const std::exception_ptr& error) noexcept {
  while (fd_wait* const each = waits_.pop()) each->fail(error);
}

void fd_watch_core::begin(fd_wait& wait) {
  expect_held();
  if (mask_of(wait.wanted_) == 0)
    throw std::invalid_argument("a wait of an fd_watch has to want readable, writable or both");
  waits_.push(wait);
}

void fd_watch_core::arm() noexcept {
  if (of_ != nullptr) all_->arm(*of_);
}

void fd_watch_core::call_on(fd_events wanted, callable<void(fd_events)> told) {
  expect_held();
  ++registration_;
  told_of_ = wanted;
  told_ = wanted.readable || wanted.writable ? std::move(told) : callable<void(fd_events)>();
  const int number = of_->number;
  if (!all_->arm(*of_)) {
    told_ = {};
    ++registration_;
    std::rethrow_exception(closed_error(number));
  }
}

void fd_watch_core::let_go() noexcept {
  ++registration_;
  told_ = {};
  fail_waits(std::make_exception_ptr(
      invalid_state("an fd_watch was released while a task waited for its descriptor")));
  if (of_ != nullptr) all_->remove(*std::exchange(of_, nullptr), *this);
}

// --- waiting ----------------------------------------------------------------------------------------------------------

void fd_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  on_->begin(*this);
  park(handle, here);
  on_->arm();
}

bool fd_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

}  // namespace troupe::io::internal

namespace troupe::io {

fd_watch::fd_watch(int descriptor) {
  loop& home = troupe::internal::running_loop("an fd_watch");
  home.expect_open();
  auto& all = home.service<internal::fd_watches>();
  internal::watched_fd& of = all.watch(home, descriptor);
  core_ = new internal::fd_watch_core(all, of);
  all.add(of, *core_);
}

void fd_watch::call_on(fd_events wanted, callable<void(fd_events)> told) {
  core().call_on(wanted, std::move(told));
}
void fd_watch::release() noexcept {
  if (core_ != nullptr) core_->let_go();
}
int fd_watch::native() const noexcept { return core_ != nullptr ? core_->number() : -1; }
void fd_watch::drop() noexcept {
  core_->let_go();
  core_->release();
}

}  // namespace troupe::io
