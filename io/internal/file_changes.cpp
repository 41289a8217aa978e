#include <troupe/io/internal/file_calls.hpp>
#include <troupe/io/internal/file_changes.hpp>
#include <troupe/io/internal/simulated_files.hpp>

#include <troupe/runtime/cancel_scope.hpp>
#include <troupe/runtime/sleep.hpp>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace troupe::io::internal {

file_changes::file_changes(std::string path, duration interval)
    : path_(std::move(path)),
      interval_(interval),
      inotify_(simulated_disk() != nullptr ? -1 : ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (inotify_.get() >= 0) watch_.emplace(inotify_.get());
}

coro<> file_changes::look_anew() {
  if (inotify_.get() < 0) co_return;
  // A call that was given up goes on: it has a number of its own for the same instance.
  const auto mine = std::make_shared<slow_descriptor>(::fcntl(inotify_.get(), F_DUPFD_CLOEXEC, 0));
  if (mine->get() < 0) co_return;
  file_call call([mine, path = path_, before = file_] {
    // Of the directory what concerns names; what is done to the files in it may be much and is of no interest.
    constexpr std::uint32_t names = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
    constexpr std::uint32_t content = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
    static_cast<void>(
        ::inotify_add_watch(mine->get(), directory_of(path).c_str(), names | IN_ONLYDIR));
    const int made = ::inotify_add_watch(mine->get(), path.c_str(), content);
    if (before >= 0 && before != made) static_cast<void>(::inotify_rm_watch(mine->get(), before));
    return made;
  });
  file_ = co_await call;
}

namespace {
coro<> readable(fd_watch& watched) { co_await watched.readable(); }
}  // namespace

coro<> file_changes::next() {
  if (watch_) {
    auto changed = readable(*watch_);
    co_await move_on_after(interval_, std::move(changed));
    drain();
  } else {
    co_await sleep(interval_);
  }
}

void file_changes::drain() noexcept {
  alignas(inotify_event) char events[4096];
  // What they say is not looked at: the file is.
  while (::read(inotify_.get(), events, sizeof events) > 0) {
  }
}

}  // namespace troupe::io::internal
