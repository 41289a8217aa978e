#pragma once

#include <troupe/actors/ask.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/memory.hpp>

#include <exception>
#include <string_view>

namespace troupe::internal {

/// The future of a `send`: done when the message is in the mailbox. Two own it: its handles, and the message until then.
///
/// To the search for deadlocks it is an open ask that is answered by room: where a mailbox is full, that is made only when the handler
/// in hand has ended.
/// Threads: made and completed on the sender's loop; `admitted`, `fail` and `skip` on that of the actor.
class sending final : public typed_future<void>, public open_ask, public pooled {
 public:
  sending(loop& home, cell& target, envelope& sent) noexcept
      : typed_future<void>(&sending::arrive, home, 2),
        open_ask(target, infinite),
        sent_(&sent),
        type_(sent.info) {}

  /// The room may have been found before it returns. Pre: somebody holds a handle.
  void send() noexcept;

  bool cancel(std::string_view reason) noexcept override;
  bool admitted(envelope& item) noexcept override;
  void fail(std::exception_ptr error) noexcept override;

  /// Only its address means something on the sender's loop: the message is the actor's.
  envelope& request() noexcept override { return *sent_; }
  const message_info& message_type() const noexcept override { return *type_; }
  bool only_for_room() const noexcept override { return true; }
  future_base& answer_to_come() noexcept override { return *this; }
  void end_with(std::exception_ptr error) noexcept override;

 private:
  ~sending() override = default;
  void destroy() noexcept override { delete this; }
  static void arrive(work& item) noexcept;
  void deliver() noexcept;
  void end(future_base::status how) noexcept;

  envelope* sent_;
  const message_info* type_;
  outcome<void> arrived_;
};

}  // namespace troupe::internal
