#include <troupe/actors/sending.hpp>

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/cell.hpp>

#include <utility>

namespace troupe::internal {

void sending::send() noexcept {
  target().enqueue_sent(*sent_);
  // Who has to wait is looked at as an ask is.
  if (!done()) home().timers().arm_lazily(*this, limit());
}

void sending::end(future_base::status how) noexcept {
  if (armed()) home().timers().cancel(*this);
  complete(how);
}

void sending::deliver() noexcept {
  if (loop::current() == &home()) {
    arrive(*this);
  } else if (!home().post(*this)) {
    release();  // a closed loop takes nothing, and with it are gone who could have read the result
  }
}

void sending::arrive(work& item) noexcept {
  auto& self = static_cast<sending&>(item);
  if (!self.done()) {
    if (self.arrived_.has_error()) self.note_wait(self.arrived_.error());
    self.result_.take_from(self.arrived_);
    self.end(self.result_.has_error() ? future_base::status::error : future_base::status::value);
  }
  self.release();
}

bool sending::cancel(std::string_view reason) noexcept {
  if (done()) {
    retrieved_ = true;
    return false;
  }
  withdraw();
  keep_reason(reason);
  end(future_base::status::cancelled);
  return true;
}

void sending::end_with(std::exception_ptr error) noexcept {
  withdraw();
  result_.set_error(std::move(error));
  end(future_base::status::error);
}

bool sending::admitted(envelope& item) noexcept {
  if (withdrawn()) {
    fail(nullptr);
    return false;
  }
  item.reply = nullptr;
  arrived_.set_value();
  deliver();
  return true;
}

void sending::fail(std::exception_ptr error) noexcept {
  sent_->reply = nullptr;
  sent_->info->free(*sent_);
  arrived_.set_error(std::move(error));
  deliver();
}

future<void> send_and_wait(cell& target, envelope& item) {
  struct freed_unless_sent {
    ~freed_unless_sent() {
      if (left != nullptr) left->info->free(*left);
    }
    envelope* left;
  } unsent{&item};
  auto* const made = new sending(running_loop("send"), target, item);
  unsent.left = nullptr;
  future<void> result(*made);
  item.reply = made;
  made->send();
  return result;
}

}  // namespace troupe::internal
