#pragma once

#include <troupe/actors/errors.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/outcome.hpp>

#include <exception>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {
/// The request whose handler runs on this thread, and the same once the handler, throwing, has let go of it unanswered: the
/// asker then gets what was thrown.
extern constinit thread_local reply_slot* reply_in_hand;
extern constinit thread_local reply_slot* reply_orphaned;
std::exception_ptr no_reply_error(const open_ask& dropped);
struct reply_access;
/// A reply dropped by a process that throws, or ends: it fails with what the process ends with. False when no process runs here.
bool drop_in_process(reply_slot& dropped) noexcept;
}  // namespace internal

/// The right to answer one request later than its handler returns: a handler that takes one beside its message,
/// `void on(read r, reply_to<bytes> answer)`, keeps it for as long as it likes. It answers once; dropped without an answer it
/// fails the ask with `no_reply`. Empty when the request was told, not asked: answering then does nothing.
///
/// Threads: the loop of the actor that got it.
template <class R>
class reply_to {
 public:
  using slot = internal::typed_reply_slot<R>;

  reply_to() noexcept = default;
  explicit reply_to(slot* asked) noexcept : slot_(asked) {}
  reply_to(reply_to&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  reply_to& operator=(reply_to&& other) noexcept {
    if (this != &other) {
      drop();
      slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
  }
  ~reply_to() { drop(); }

  /// Whether somebody waits for the answer.
  explicit operator bool() const noexcept { return slot_ != nullptr && !slot_->withdrawn(); }

  template <class... Value>
  void answer(Value&&... value) {
    if (slot_ == nullptr) return;
    internal::outcome<R> result;
    result.set_value(std::forward<Value>(value)...);
    take()->answer_with(result);
  }
  /// Answers with an error, which is thrown at the asker's await.
  /// Pre: an error.
  void fail(std::exception_ptr error) noexcept {
    expects(error != nullptr, "a reply was to fail with an error that is none");
    if (slot_ != nullptr) take()->fail(std::move(error));
  }

  /// Whether the request was told, not asked, or this is empty for another reason.
  bool told() const noexcept { return slot_ == nullptr; }
  slot* slot_in_hand() const noexcept { return slot_; }
  /// Gives up the right to answer, unanswered, to whoever answers now; for `delegate`.
  slot* take() noexcept { return std::exchange(slot_, nullptr); }

 private:
  friend struct internal::reply_access;
  void drop() noexcept {
    if (slot_ == nullptr) return;
    // The handler has thrown with this in its hands: its error is the answer.
    if (internal::reply_in_hand == slot_ && std::uncaught_exceptions() != 0) {
      internal::reply_orphaned = slot_;
      return;
    }
    if (internal::drop_in_process(*slot_)) {
      slot_ = nullptr;
      return;
    }
    fail(internal::no_reply_error(*slot_));
  }

  slot* slot_ = nullptr;
};

}  // namespace troupe
