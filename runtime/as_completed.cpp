#include <troupe/runtime/as_completed.hpp>

namespace troupe::internal {

completion_order::completion_order(std::size_t room)
    : future_watch(room), timer(&completion_order::on_due), home_(running_loop("as_completed")) {}

void completion_order::begin(duration limit) {
  for (std::size_t number = 0; number < count(); ++number) {
    if (target(number).done()) done_.put_nowait(number);
  }
  start();
  if (limit != infinite && left() != 0)
    home_.timers().arm(*this, saturating_add(home_.time(), limit));
}

coro<std::size_t> completion_order::next() {
  try {
    auto got = done_.get();
    co_return co_await got;
  } catch (const queue_shutdown&) {
    throw_timeout();
  }
}

void completion_order::told(std::size_t number) noexcept {
  if (left() == 0) home_.timers().cancel(*this);
  done_.put_nowait(number);
}

void completion_order::on_due(timer& due) noexcept {
  auto& order = static_cast<completion_order&>(due);
  order.stop();
  order.done_.shutdown();
}

}  // namespace troupe::internal
