#pragma once

#include <troupe/io/file.hpp>
#include <troupe/io/internal/file_job.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/waiters.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace troupe::io::internal {

/// What is behind a `file`. Counted: by the file, by calls that are under way, and by its loop until it is closed.
///
/// Invariants: the descriptor is closed when nobody asks for more and no call uses it any more. It is closed on a thread, unless the
/// loop has gone.
/// Threads: the loop's; the last count may be dropped anywhere, after the loop has closed.
class file_core final : public troupe::internal::chain_link {
 public:
  file_core(loop& home, int opened, std::string path, const open_options& options) noexcept
      : home_(home), descriptor_(opened), path_(std::move(path)), options_(options) {}

  void retain() noexcept { count_.add(); }
  void release() noexcept {
    if (count_.drop()) delete this;
  }

  loop& home() const noexcept { return home_; }
  int native() const noexcept { return descriptor_; }
  const std::string& path() const noexcept { return path_; }
  /// Errors: `invalid_state` when it has been closed, was not opened for that, or belongs to another loop.
  void expect_usable(const char* doing) const;
  void expect_readable() const;
  void expect_writable() const;
  bool appends() const noexcept { return options_.append; }

  /// No more calls; closed when those under way have ended. One that is `dropped` has nobody else to tell of a failure.
  void close(bool dropped = false) noexcept;
  /// Set when it is closed.
  event closed;
  std::error_code close_error;

  std::uint64_t position = 0;
  /// Calls at the position are made one after the other; whoever is to be next waits here.
  lock turn;

 private:
  friend class file_use;
  friend class core_closing;
  ~file_core();
  void close_if_unused() noexcept;
  void has_closed(int error) noexcept;

  troupe::internal::ref_count count_{1};
  loop& home_;
  int descriptor_;
  bool closing_ = false;
  bool close_begun_ = false;
  bool dropped_ = false;
  std::size_t uses_ = 0;
  std::string path_;
  open_options options_;
};

/// Keeps a core.
class core_hold {
 public:
  explicit core_hold(file_core& held) noexcept : core_(&held) { core_->retain(); }
  /// Takes over a count.
  static core_hold adopted(file_core& held) noexcept {
    core_hold made(held);
    held.release();
    return made;
  }
  core_hold(core_hold&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  core_hold& operator=(core_hold&&) = delete;
  ~core_hold() {
    if (core_ != nullptr) core_->release();
  }
  file_core& operator*() const noexcept { return *core_; }
  file_core* operator->() const noexcept { return core_; }

 private:
  file_core* core_;
};

/// A call uses the descriptor; with `has_turn`, at the position. In the call, so that one which was given up keeps both until it has
/// really ended.
class file_use {
 public:
  explicit file_use(file_core& of, bool has_turn = false) noexcept
      : core_(&of), has_turn_(has_turn) {
    core_->retain();
    ++core_->uses_;
  }
  file_use(file_use&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), has_turn_(other.has_turn_) {}
  file_use& operator=(file_use&&) = delete;
  ~file_use();

  file_core& operator*() const noexcept { return *core_; }
  file_core* operator->() const noexcept { return core_; }

 private:
  file_core* core_;
  bool has_turn_;
};

}  // namespace troupe::io::internal
