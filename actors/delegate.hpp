#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/reply_to.hpp>

#include <concepts>
#include <exception>
#include <utility>

namespace troupe {

/// Left undefined: the compiler names both in the one line that says what is wrong with a call of `delegate`.
template <class Message, class Reply>
struct delegated_message_is_answered_by_something_else;

namespace internal {

/// An ask whose asker is the asker of a request that it stands for. Owned by its request.
template <class M>
class standing_ask : public ask_state<M>, private observer {
 protected:
  using slot = typed_reply_slot<reply_of<M>>;

  /// Takes over the right to answer `original`.
  standing_ask(slot& original, cell& target, M&& asked)
      : ask_state<M>(static_cast<future_base&>(original.answer_to_come()).home(), target,
                     std::move(asked), infinite),
        observer(&standing_ask::on_done),
        original_(&original) {
    this->release();  // no future of it is handed out
    this->add_observer(*this);
    original.delegate_as(*this);
  }
  ~standing_ask() override {
    if (original_ == nullptr) return;
    // The asker's loop has closed: there is nobody to tell.
    original_->delegate_ended();
    original_->skip();
  }
  /// It has been answered, or has failed: so is `original` to be. Once, on the asker's loop.
  virtual void ended(slot& original) noexcept = 0;

 private:
  static void on_done(observer& self) noexcept {
    auto& mine = static_cast<standing_ask&>(self);
    slot& original = *std::exchange(mine.original_, nullptr);
    original.delegate_ended();
    if (mine.was_cancelled()) {
      original.skip();
    } else {
      mine.ended(original);
    }
  }
  void destroy() noexcept final { delete this; }

  slot* original_;
};

/// A request that another actor has to answer instead, whose answer is passed on.
template <class M>
class delegated_ask final : public standing_ask<M> {
  using typename standing_ask<M>::slot;

 public:
  delegated_ask(slot& original, cell& target, M&& asked)
      : standing_ask<M>(original, target, std::move(asked)) {}

  /// As `send`, but without a time limit: that of the original holds.
  void pass_on() noexcept { this->target().enqueue(this->request()); }

 private:
  void ended(slot& original) noexcept override {
    if (this->result_.has_error()) {
      std::exception_ptr error = this->result_.error();
      this->result_.clear();
      original.fail_delegated(std::move(error), *this);
    } else {
      original.answer_with(this->result_);
    }
  }
};

}  // namespace internal

/// Has `other` answer instead: it is sent `m`, which may be the request itself or another that has the same reply, and its answer goes
/// straight to the asker, on whatever loops the three are. The asker's time limit and withdrawal go on to hold. Fails for the
/// asker as an ask of `other` would: `actor_dead`, `no_reply`, or what the handler throws. Of a request that was told, `m` is told.
///
///     void on(read r, reply_to<bytes> answer) { delegate(disk_of(r), std::move(r), std::move(answer)); }
///
/// Threads: the loop of the actor that got the request. Cost: one pooled allocation.
template <class P, message M, class R>
void delegate(const actor_ref<P>& other, M m, reply_to<R> answer) {
  if constexpr (!accepts<P, M>) {
    static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
  } else if constexpr (!request<M>) {
    static_cast<void>(sizeof(message_has_no_reply_type_so_use_tell<M>));
  } else if constexpr (!std::same_as<reply_of<M>, R>) {
    static_cast<void>(sizeof(delegated_message_is_answered_by_something_else<M, R>));
  } else {
    expects(static_cast<bool>(other), "a request was delegated to nobody");
    if (answer.told()) {
      other.tell(std::move(m));
      return;
    }
    // Copying the message may throw: until it is there the request is answered by whoever holds `answer`.
    auto& original = *answer.slot_in_hand();
    auto* const made = new internal::delegated_ask<M>(original, *other.cell(), std::move(m));
    static_cast<void>(answer.take());
    made->pass_on();
  }
}

}  // namespace troupe
