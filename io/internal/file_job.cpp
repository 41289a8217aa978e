#include <troupe/io/internal/file_core.hpp>
#include <troupe/io/internal/file_job.hpp>
#include <troupe/io/internal/files.hpp>
#include <troupe/io/internal/simulated_files.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe::io::internal {

// --- the loop's part --------------------------------------------------------------------------------------------------

files_of_loop::~files_of_loop() {
  while (file_core* const left = files_.pop()) left->release();
  // Where something is still under way its thread is left to itself.
  static_cast<void>(ledger_->threads.shut_down(finished() ? infinite : duration::zero()));
  ledger_->release();
}

std::string files_of_loop::unfinished() const {
  return "\n  " + std::to_string(ledger_->under_way) +
         " operations on files, under way in the system";
}

void files_of_loop::add(file_core& opened) noexcept {
  opened.retain();
  files_.push(opened);
}

// --- a call -----------------------------------------------------------------------------------------------------------

file_job::file_job(file_wait* waiter) noexcept
    : work(&file_job::arrive),
      thread_job(&file_job::run_on_thread),
      waiter_(waiter),
      count_(waiter != nullptr ? 2 : 1) {}

file_job::~file_job() {
  if (ledger_ != nullptr) ledger_->release();
}

void file_job::start() {
  home_ = &troupe::internal::running_loop("a file");
  home_->expect_open();
  file_ledger& ledger = home_->service<files_of_loop>().ledger();
  ledger.retain();
  ledger_ = &ledger;
  if (home_->is_virtual()) {
    start_here();
  } else {
    ledger.threads.submit(*this);
  }
  ++ledger.under_way;
}

/// The time of tests knows nothing of other threads.
void file_job::start_here() {
  simulated_files* const disk = simulated_disk();
  if (disk == nullptr && troupe::internal::current_simulator() != nullptr)
    throw invalid_state(
        "a simulation has no files, for those of the system would be others in the next run: give "
        "it a disk (troupe::testing::disk)");
  static_cast<work&>(*this).run = &file_job::run_here;
  const duration latency = disk != nullptr ? disk->latency() : duration::zero();
  if (latency == duration::zero()) return home_->push(*this);
  static_cast<void>(home_->call_later(latency, [this] { run_here(*this); }));
}

void file_job::abandon() noexcept {
  waiter_ = nullptr;
  stopped_.store(true, std::memory_order_relaxed);
  const bool withdrawn = ledger_ != nullptr && !home_->is_virtual() &&
                         thread_pool::hold(ledger_->threads).withdraw(*this);
  if (withdrawn) {
    --ledger_->under_way;
    release();
  }
  release();
}

void file_job::run_on_thread(thread_job& job) noexcept {
  auto& self = static_cast<file_job&>(job);
  self.perform();
  // A closed loop takes nothing, and who waited has gone with it.
  if (!self.home_->post(self)) self.release();
}

void file_job::run_here(work& item) noexcept {
  auto& self = static_cast<file_job&>(item);
  if (!self.stopped()) self.perform();
  arrive(item);
}

void file_job::arrive(work& item) noexcept {
  auto& self = static_cast<file_job&>(item);
  --self.ledger_->under_way;
  if (self.waiter_ != nullptr) {
    self.waiter_->arrived();
  } else {
    self.came_home();
  }
  self.release();
}

// --- the wait ---------------------------------------------------------------------------------------------------------

file_wait::~file_wait() {
  if (job_ == nullptr) return;
  if (!started_) job_->release();  // the call's own count: it was never made
  if (started_ && !home_again_) {
    job_->abandon();
  } else {
    job_->release();
  }
}

bool file_wait::cancel() noexcept {
  std::exchange(job_, nullptr)->abandon();
  wake_cancelled();
  return true;
}

// --- aside ------------------------------------------------------------------------------------------------------------

bool may_do_aside() noexcept { return loop::current() != nullptr && !loop::current()->closed(); }

void close_now(int descriptor) noexcept { files::close(descriptor); }

}  // namespace troupe::io::internal
