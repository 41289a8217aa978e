#include <troupe/io/internal/file_core.hpp>
#include <troupe/io/internal/files.hpp>

#include <troupe/runtime/errors.hpp>

#include <cerrno>
#include <exception>
#include <system_error>

namespace troupe::io::internal {

/// Closes the descriptor of a core, which it keeps.
class core_closing final : public file_job {
 public:
  explicit core_closing(file_core& of) noexcept : file_job(nullptr), core_(of) {}

 private:
  void perform() noexcept override {
    if (files::close(core_->descriptor_) != 0) error_ = errno;
  }
  void came_home() noexcept override { core_->has_closed(error_); }

  core_hold core_;
  int error_ = 0;
};

file_core::~file_core() {
  // Its loop has gone, or could not do it.
  if (descriptor_ >= 0 && !close_begun_) files::close(descriptor_);
}

void file_core::expect_usable(const char* doing) const {
  if (closing_ || descriptor_ < 0)
    throw invalid_state(std::string(doing) + " '" + path_ + "', which has been closed");
  if (loop::current() != &home_)
    throw invalid_state(std::string(doing) + " '" + path_ +
                        "' on another loop than that which opened it");
}

void file_core::expect_readable() const {
  expect_usable("reading");
  if (!options_.read)
    throw invalid_state("reading '" + path_ + "', which was not opened to be read");
}

void file_core::expect_writable() const {
  expect_usable("writing");
  if (!options_.write && !options_.append)
    throw invalid_state("writing '" + path_ + "', which was opened to be read only");
}

void file_core::close(bool dropped) noexcept {
  if (!std::exchange(closing_, true)) dropped_ = dropped;
  close_if_unused();
}

void file_core::close_if_unused() noexcept {
  if (!closing_ || uses_ != 0 || close_begun_ || descriptor_ < 0) return;
  if (!linked()) return;  // its loop has gone: the last count closes it
  close_begun_ = true;
  file_job* const closing = new core_closing(*this);
  try {
    closing->start();
  } catch (const std::exception&) {  // no thread: there is no other way then
    closing->release();
    has_closed(files::close(descriptor_) == 0 ? 0 : errno);
  }
}

void file_core::has_closed(int error) noexcept {
  descriptor_ = -1;
  close_error = std::error_code(error, std::generic_category());
  if (!linked()) return;
  if (error != 0 && dropped_) {
    home_.report(
        {"closing '" + path_ + "', which was dropped, failed: what was written may be lost",
         std::make_exception_ptr(std::system_error(close_error, "close"))});
  }
  closed.set();
  leave();
  release();  // the loop's
}

file_use::~file_use() {
  if (core_ == nullptr) return;
  // Elsewhere than on its loop only when that has closed: there is nobody left who waits.
  if (loop::current() != nullptr) {
    --core_->uses_;
    if (has_turn_) core_->turn.release();
    core_->close_if_unused();
  }
  core_->release();
}

}  // namespace troupe::io::internal
