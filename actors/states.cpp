#include <troupe/actors/states.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/timers.hpp>
#include <troupe/runtime/check.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::internal {

namespace {
/// Changes in a row, each wanted by the on_enter of the one before.
constexpr int most_changes = 1000;
}  // namespace

constinit thread_local void* machine_of_new_state = nullptr;

void* taken_machine() noexcept {
  void* const taken = std::exchange(machine_of_new_state, nullptr);
  expects(taken != nullptr, "a state of a machine was constructed directly: use become");
  return taken;
}

void present_state::expect_changeable() const {
  if (begun_ && in_hand_ == 0 && !changing_)
    throw invalid_state("become was called outside of the handlers of " + owner_->description());
}

void present_state::propose(void* made, const state_class& type) noexcept {
  destroy(next_);
  next_ = {made, &type};
}

void present_state::no_first(std::string_view first) const {
  throw invalid_state(owner_->description() + " has no state to begin with: its first one, " +
                      std::string(first) +
                      ", needs arguments; call become in the constructor or on_start");
}

void present_state::enter_first() noexcept {
  begun_ = true;
  settle(true);
}

void present_state::settle(bool well) noexcept {
  if (in_hand_ != 0 || changing_) return;  // the last one does it
  if (!well || owner_->stop_wanted()) {
    destroy(next_);
    return;
  }
  std::exception_ptr error;
  changing_ = true;
  try {
    change();
  } catch (...) {
    error = std::current_exception();
  }
  changing_ = false;
  if (!error) return;
  destroy(next_);
  owner_->stop_after_crash(error);
}

void present_state::change() {
  for (int changes = 0; next_.object != nullptr; ++changes) {
    if (changes == most_changes)
      throw std::logic_error("states that change without a message, over and over: the last was " +
                             std::string(name()));
    // It may call become: that is the one then.
    if (now_.object != nullptr) now_.type->exit(now_.object);
    cancel_timer(*owner_, state_timer);
    destroy(now_);
    now_ = std::exchange(next_, {});
    now_.type->enter(now_.object);
  }
}

void present_state::not_handled(envelope& item) const noexcept {
  if (item.reply == nullptr) {
    owner_->refuse(item);
    return;
  }
  // In two steps: the text is shared by the temporary, which has to go before the other loop gets the error.
  std::exception_ptr error = std::make_exception_ptr(
      rejected(owner_->description() + " does not take " + std::string(item.info->name) +
               " in its state " + std::string(name())));
  item.reply->fail(std::move(error));
}

void present_state::destroy(held& state) noexcept {
  const held gone = std::exchange(state, {});
  if (gone.object != nullptr) gone.type->destroy(gone.object);
}

void present_state::drop() noexcept {
  destroy(next_);
  destroy(now_);
}

}  // namespace troupe::internal
