#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/loop.hpp>

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace troupe::internal {

namespace {
int checked(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return descriptor;
}

void drain(int descriptor) noexcept {
  std::uint64_t count = 0;
  // A failed read means that somebody else has emptied it, which is as good.
  [[maybe_unused]] const ssize_t got = ::read(descriptor, &count, sizeof count);
}
}  // namespace

backend::backend()
    : context_(ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      guard_(context_.get_executor()),
      wake_(context_, checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "a loop's eventfd")),
      timer_(context_, checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
                               "a loop's timerfd")) {
  watch_wake();
  watch_timer();
}

void backend::watch_wake() {
  wake_.async_wait(asio::posix::descriptor_base::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    drain(wake_.native_handle());
    watch_wake();
  });
}

void backend::watch_timer() {
  timer_.async_wait(asio::posix::descriptor_base::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    drain(timer_.native_handle());
    armed_ = time_point::max();
    watch_timer();
  });
}

void backend::arm(time_point deadline) {
  // An earlier alarm is left alone: it ends one sleep too soon, which is cheaper than setting it anew every time.
  if (deadline >= armed_) return;
  const auto since_epoch = deadline.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  itimerspec alarm{};
  alarm.it_value.tv_sec = static_cast<time_t>(seconds.count());
  alarm.it_value.tv_nsec = static_cast<long>((since_epoch - seconds).count());
  if (alarm.it_value.tv_sec <= 0 && alarm.it_value.tv_nsec == 0) alarm.it_value.tv_nsec = 1;
  const int result = ::timerfd_settime(timer_.native_handle(), TFD_TIMER_ABSTIME, &alarm, nullptr);
  expects(result == 0, "timerfd_settime failed");
  armed_ = deadline;
}

void backend::poll() { context_.poll(); }

void backend::wait(time_point deadline) {
  if (deadline != time_point::max()) arm(deadline);
  context_.run_one();
}

void backend::wake() noexcept {
  const std::uint64_t one = 1;
  // It can only fail because the counter is full, and then the loop is awake already.
  [[maybe_unused]] const ssize_t put = ::write(wake_.native_handle(), &one, sizeof one);
}

asio::io_context& context_of(loop& owner) noexcept { return owner.io().context(); }

}  // namespace troupe::internal
