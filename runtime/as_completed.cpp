#include <troupe/runtime/as_completed.hpp>

namespace troupe::internal {

completion_order::completion_order(const std::vector<future_base*>& targets, duration limit)
    : watches_(targets.size()), timer_(*this), home_(running_loop("as_completed")) {
  for (std::size_t index = 0; index < targets.size(); ++index) {
    watch& one = watches_[index];
    one.target = targets[index];
    one.number = index;
    if (one.target->done()) {
      done.put_nowait(index);
      continue;
    }
    one.order = this;
    one.target->add_observer(one);
    ++left_;
  }
  if (limit != infinite && left_ != 0)
    home_.timers().arm(timer_, saturating_add(home_.time(), limit));
}

completion_order::~completion_order() { stop_watching(); }

void completion_order::stop_watching() noexcept {
  for (watch& each : watches_) {
    if (std::exchange(each.order, nullptr) != nullptr) each.target->remove_observer(each);
  }
  home_.timers().cancel(timer_);
}

void completion_order::watch::on_done(observer& self) noexcept {
  auto& one = static_cast<watch&>(self);
  completion_order& order = *std::exchange(one.order, nullptr);
  if (--order.left_ == 0) order.home_.timers().cancel(order.timer_);
  order.done.put_nowait(one.number);
}

void completion_order::on_due(timer& due) noexcept {
  completion_order& order = static_cast<limit_timer&>(due).order;
  order.stop_watching();
  order.done.shutdown();
}

}  // namespace troupe::internal
