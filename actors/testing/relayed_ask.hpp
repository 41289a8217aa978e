#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/delegate.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace troupe::testing {

enum class moment : std::uint8_t;
class rule;

namespace internal {

struct rule_state;
using troupe::internal::cell;
using troupe::internal::envelope;

/// What a rule is about. What is not said holds for all.
struct selection {
  const troupe::internal::message_info* type = nullptr;
  any_actor from = {};
  any_actor to = {};
  std::size_t skip = 0;
  std::size_t times = std::numeric_limits<std::size_t>::max();
  bool maybe = false;
  std::function<bool(const cell& to)> between = {};  ///< who acts now and `to`
  std::function<bool(const envelope&)> fits = {};
};

/// A message on its way.
struct passage {
  cell& to;
  envelope& item;
  work::function arrival;
  const std::shared_ptr<rule_state>& by;
  /// Whether somebody waits for an answer, and not only for room.
  bool is_ask() const noexcept {
    const troupe::internal::open_ask* const ask =
        item.reply != nullptr ? item.reply->as_ask() : nullptr;
    return ask != nullptr && !ask->only_for_room();
  }
};

/// What is done to a message; whether that has taken it.
using treatment = std::function<bool(passage&)>;

/// The rules of an interception, and what they hold.
class interception_core : public std::enable_shared_from_this<interception_core> {
 public:
  virtual rule add(selection about, treatment what) = 0;
  virtual rule add_drop(selection about) = 0;
  virtual rule add_delay(selection about, duration least, duration most) = 0;
  virtual rule add_reorder(selection about, std::size_t others, duration patience) = 0;
  virtual rule add_crash(selection about, moment when) = 0;

  /// Sends `item` instead of the message, or besides it in a step of its own.
  virtual void pass_on(const passage& on, envelope& item) = 0;
  virtual void send_later(const passage& on, envelope& item) = 0;
  /// Has `act` called, at the latest when the interception ends.
  virtual void later(duration delay, callable<void()> act) = 0;
  /// Keeps an ask that is never answered; fails it when the interception ends.
  virtual void keep_unanswered(troupe::internal::reply_slot& asked) = 0;

 protected:
  interception_core() = default;
  ~interception_core() = default;
};

/// An ask in the place of another, whose answer is lost, or goes back later.
template <class M>
class relayed_ask final : public troupe::internal::standing_ask<M> {
  using typename troupe::internal::standing_ask<M>::slot;

 public:
  /// `delay` may be infinite: the answer is lost.
  relayed_ask(slot& original, cell& target, M&& asked, std::shared_ptr<interception_core> core,
              duration delay)
      : troupe::internal::standing_ask<M>(original, target, std::move(asked)),
        core_(std::move(core)),
        delay_(delay) {}

 private:
  void ended(slot& original) noexcept override {
    if (delay_ == infinite) return core_->keep_unanswered(original);
    const auto kept = std::make_shared<troupe::internal::outcome<reply_of<M>>>();
    kept->take_from(this->result_);
    core_->later(delay_, [&original, kept] {
      if (kept->has_error()) {
        original.fail(kept->error());
      } else {
        original.answer_with(*kept);
      }
    });
  }

  std::shared_ptr<interception_core> core_;
  duration delay_;
};

}  // namespace internal
}  // namespace troupe::testing
