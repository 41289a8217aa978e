#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/waiters.hpp>

#include <coroutine>
#include <exception>
#include <source_location>
#include <string_view>
#include <utility>

namespace troupe::io {

class fd_watch;

/// What a descriptor is to be ready for, or is.
struct fd_events {
  bool readable = false;  ///< also at the end of data, and after a failure: who reads finds out
  bool writable = false;  ///< also after a failure
  bool failed = false;    ///< an error is pending; told, not asked for

  bool any() const noexcept { return readable || writable || failed; }
};

namespace internal {

class fd_watch_core;

/// One wait for a descriptor.
class [[nodiscard]] fd_wait final : public suspension, public troupe::internal::chain_link {
 public:
  fd_wait(fd_watch_core& on, fd_events wanted) noexcept : on_(&on), wanted_(wanted) {}
  fd_wait(fd_wait&&) noexcept = default;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  fd_events await_resume() {
    finish();
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
    return found_;
  }
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "a foreign descriptor"; }

 private:
  friend class fd_watch_core;
  void tell(fd_events found) noexcept {
    found_ = found;
    wake();
  }
  void fail(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    wake();
  }

  fd_watch_core* on_;
  fd_events wanted_;
  fd_events found_;
  std::exception_ptr error_;
};

}  // namespace internal

/// Watches a descriptor that somebody else owns: a library with sockets of its own, such as curl, libpq or libmariadb. It never
/// reads, writes or closes it.
///
///     io::fd_watch watched(PQsocket(connection));
///     while (PQconsumeInput(connection) && PQisBusy(connection)) co_await watched.readable();
///
/// Readiness is told as long as it lasts: who left something unread is told again by the next wait. Each wait arms the descriptor
/// anew, for once; without one there are no notices, whatever happens to it.
/// The rule: release the watch, or let it go, before the owner closes the descriptor. The system gives the number to the next file that
/// is opened; a watch that was not released never fires for that one. Where the mistake can be seen, at the next wait, at the release,
/// or when the number is watched anew, it is said: waits fail with bad_file_descriptor, a release is reported to the failure handler.
/// A wait that is under way while the descriptor is closed cannot see it, and goes on.
/// Several watches of one number, or of duplicates of one descriptor, are independent of each other. A number that a stream or
/// `loop::add_reader` watches can be watched here beside it.
/// Life: until `release`, its end, or that of the loop, which fail the waits. May be moved.
/// Threads: the loop's on which it was made. Cancel of a wait: nothing is lost.
/// Cost: a system call for each wait.
class fd_watch {
 public:
  /// Errors: std::system_error that names the number: bad_file_descriptor; operation_not_permitted for a plain file, which is always
  /// ready; `invalid_state` off a loop.
  explicit fd_watch(int descriptor);
  fd_watch(fd_watch&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  fd_watch& operator=(fd_watch other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~fd_watch() {
    if (core_ != nullptr) drop();
  }

  /// Waits until it can be read from, or written to, or either, and says which. Any number of tasks may wait.
  /// Errors: std::system_error (bad_file_descriptor) when the descriptor has been closed; `invalid_state` after, or by, a `release`.
  internal::fd_wait readable() { return ready({.readable = true}); }
  internal::fd_wait writable() { return ready({.writable = true}); }
  internal::fd_wait ready(fd_events wanted) { return internal::fd_wait(core(), wanted); }

  /// Calls `told(events)` on the loop whenever it is ready for what is wanted, until another call of this replaces it; with nothing
  /// wanted there are no more. It may release the watch, or destroy it. What it throws goes to the failure handler.
  /// Errors: as a wait. A descriptor that turns out later to have been closed is told by `failed`, once.
  void call_on(fd_events wanted, callable<void(fd_events)> told);

  /// Lets the descriptor go, which the owner may close now. Does nothing the second time.
  void release() noexcept;
  /// The number; -1 after `release`.
  int native() const noexcept;

 private:
  internal::fd_watch_core& core() const {
    expects(core_ != nullptr, "an fd_watch was used after it had been moved away");
    return *core_;
  }
  void drop() noexcept;
  internal::fd_watch_core* core_;
};

}  // namespace troupe::io
