#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/trace.hpp>
#include <troupe/runtime/future.hpp>

#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {

inline open_ask::open_ask(cell& target, duration limit) noexcept
    : lazy_timer(&open_ask::on_timer), target_(target), limit_(limit) {
  target_.retain();
}
inline open_ask::~open_ask() { target_.release(); }

/// What of an ask depends on its answer only, compiled once for all messages that are answered by an `R`.
///
/// Threads: made and completed on the asker's loop. An answer from another loop is written by that loop and posted back.
template <class R>
class ask_for : public typed_future<R>, public typed_reply_slot<R>, public pooled {
 public:
  void answer_with(outcome<R>& value) noexcept final {
    destroy_message();
    if constexpr (std::is_void_v<R>) {
      answered();
    } else {
      answered(std::move(value.get()));
    }
  }

  void fail(std::exception_ptr error) noexcept final {
    destroy_message();
    const bool here = loop::current() == &this->home();
    if (!here && maybe_traced()) trace_answered(*this, error);
    arrived_.set_error(std::move(error));
    if (here) {
      arrive(*this);
    } else {
      post();
    }
  }

  void skip() noexcept final {
    destroy_message();
    this->request().reply = nullptr;
    if (loop::current() == &this->home()) {
      arrive(*this);
    } else {
      post();
    }
  }

  /// Withdraws the request: a target that has not begun with it leaves it.
  bool cancel(std::string_view reason) noexcept final {
    if (this->done()) {
      this->retrieved_ = true;
      return false;
    }
    this->withdraw();
    this->keep_reason(reason);
    end(future_base::status::cancelled);
    return true;
  }

  const message_info& message_type() const noexcept final {
    return *static_cast<const open_ask&>(*this).request().info;
  }
  future_base& answer_to_come() noexcept final { return *this; }
  void end_with(std::exception_ptr error) noexcept final {
    this->withdraw();
    this->result_.set_error(std::move(error));
    end(future_base::status::error);
  }

 protected:
  ask_for(loop& home, cell& target, duration limit)
      : typed_future<R>(&ask_for::arrive, home, 2), typed_reply_slot<R>(target, limit) {
    static_assert(
        alignof(typename outcome<R>::value_type) <= pool_granule,
        "a reply that needs more than 16-byte alignment: keep what needs it behind a pointer");
  }
  ~ask_for() override = default;

  /// Sends the request; the answer may be here before it returns.
  void send(envelope& request) noexcept {
    this->home().timers().arm_lazily(*this, this->limit());
    this->target().enqueue(request);
  }

  /// The answer is here, and the message is destroyed. Once, on the target's loop.
  template <class... Value>
  void answered(Value&&... value) noexcept {
    if (loop::current() == &this->home()) [[likely]] {
      if (!this->done()) {
        this->result_.set_value(std::forward<Value>(value)...);
        end(future_base::status::value);
      } else {
        count_late_reply();
      }
      this->release();
    } else {
      if (maybe_traced()) [[unlikely]]
        trace_answered(*this, nullptr);
      arrived_.set_value(std::forward<Value>(value)...);
      post();
    }
  }

 private:
  /// Nobody needs it any more; the envelope stays.
  virtual void destroy_message() noexcept = 0;

  void end(future_base::status how) noexcept {
    this->home().timers().cancel(*this);
    this->complete(how);
  }
  void post() noexcept {
    if (!this->home().post(*this)) this->release();
  }
  static void arrive(work& item) noexcept {
    auto& self = static_cast<ask_for&>(item);
    if (self.request().reply == nullptr) {
      if (!self.done()) self.end(future_base::status::cancelled);  // one that was delegated
    } else if (self.done()) {
      count_late_reply();
    } else {
      if (self.arrived_.has_error()) self.note_wait(self.arrived_.error());
      self.result_.take_from(self.arrived_);
      self.end(self.result_.has_error() ? future_base::status::error : future_base::status::value);
    }
    self.release();
  }

  outcome<R> arrived_;
};

/// One ask: request, answer and time limit in one block. Two own it: the asker's future, and the request until answered.
template <class M>
class ask_state : public ask_for<reply_of<M>> {
 public:
  ask_state(loop& home, cell& target, M&& asked, duration limit)
      : ask_for<reply_of<M>>(home, target, limit), request_(std::move(asked), this) {}

  void send() noexcept { ask_for<reply_of<M>>::send(request_); }

  /// Destroys the request and answers it. Once, on the target's loop.
  template <class... Value>
  void answer(Value&&... value) noexcept {
    request_.destroy_message();
    this->answered(std::forward<Value>(value)...);
  }

  envelope& request() noexcept final { return request_; }

 protected:
  ~ask_state() override = default;

 private:
  void destroy_message() noexcept final { request_.destroy_message(); }
  void destroy() noexcept override {
    // An unseen error needs no report: who drops an answer unread did not want it.
    delete this;
  }

  envelope_of<M> request_;
};

/// Whether `co_await ref.ask(M{...})` is miscompiled: g++ 12 destroys an aggregate temporary of a co_await expression twice.
template <class M>
inline constexpr bool temporary_is_unsafe =
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
    std::is_aggregate_v<M> && !std::is_trivially_destructible_v<M>;
#else
    false;
#endif

}  // namespace internal

/// The future of an ask whose message was passed as a temporary that g++ 12 cannot hold in a co_await expression (it has a
/// destructor and no constructor). Name the future first:
///   auto answer = ref.ask(text{"hello"});
///   co_await answer;
template <class T>
class [[nodiscard]] named_future : public future<T> {
 public:
  explicit named_future(future<T>&& answer) noexcept : future<T>(std::move(answer)) {}
  auto operator co_await() const& { return future<T>::operator co_await(); }
  /// g++ 12 would destroy the message twice: give the future a name first.
  void operator co_await() && = delete;
};

}  // namespace troupe
