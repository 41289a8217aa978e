#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/asio_context.hpp>
#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/loop.hpp>

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace troupe::internal {

/// The io_context, and its watch over the poller.
class backend::guest {
 public:
  explicit guest(int poller)
      : context(ASIO_CONCURRENCY_HINT_UNSAFE_IO),
        guard_(context.get_executor()),
        poller_(context, ::dup(poller)) {}

  void watch_poller() {
    if (std::exchange(watching_, true)) return;
    poller_.async_wait(asio::posix::descriptor_base::wait_read,
                       [this](const asio::error_code&) { watching_ = false; });
  }

  asio::io_context context;

 private:
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  asio::posix::stream_descriptor poller_;
  bool watching_ = false;
};

backend::alarm::alarm(class poller& home, int descriptor, const char* what)
    : home_(home), descriptor_(descriptor) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  home.add(descriptor, *this, EPOLLIN);
}

backend::alarm::~alarm() {
  home_.remove(descriptor_, *this);
  ::close(descriptor_);
}

void backend::alarm::on_events(std::uint32_t) noexcept {
  std::uint64_t count = 0;
  // A failed read means that it has been emptied already, which is as good.
  [[maybe_unused]] const ssize_t got = ::read(descriptor_, &count, sizeof count);
  rang = true;
}

backend::backend(bool without_system) : poller_(!without_system) {
  if (without_system) return;
  wake_.emplace(poller_, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "a loop's eventfd");
  timer_.emplace(poller_, ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
                 "a loop's timerfd");
}

backend::~backend() = default;

asio::io_context& backend::context() {
  if (!guest_) guest_ = std::make_unique<guest>(poller_.native());
  return guest_->context;
}

void backend::arm(time_point deadline) noexcept {
  // An earlier alarm is left alone: it ends one sleep too soon, which is cheaper than setting it anew every time.
  if (deadline == time_point::max() || (!timer_->rang && deadline >= armed_)) return;
  const auto since_epoch = deadline.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(seconds.count());
  when.it_value.tv_nsec = static_cast<long>((since_epoch - seconds).count());
  if (when.it_value.tv_sec <= 0 && when.it_value.tv_nsec == 0) when.it_value.tv_nsec = 1;
  const int result = ::timerfd_settime(timer_->native(), TFD_TIMER_ABSTIME, &when, nullptr);
  expects(result == 0, "timerfd_settime failed");
  armed_ = deadline;
  timer_->rang = false;
}

void backend::poll(poller::function between, void* argument) {
  poller_.wait(false, between, argument);
  if (guest_) guest_->context.poll();
}

void backend::wait(time_point deadline, poller::function between, void* argument) {
  arm(deadline);
  if (!guest_) {
    poller_.wait(true, between, argument);
    return;
  }
  guest_->watch_poller();
  guest_->context.run_one();
  poll(between, argument);
}

void backend::wake() noexcept {
  const std::uint64_t one = 1;
  // It can only fail because the counter is full, and then the loop is awake already.
  [[maybe_unused]] const ssize_t put = ::write(wake_->native(), &one, sizeof one);
}

asio::io_context& context_of(loop& owner) { return owner.io().context(); }
poller& poller_of(loop& owner) noexcept { return owner.io().poller(); }

}  // namespace troupe::internal
