#pragma once

#include <troupe/actors/activity.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/task.hpp>

#include <cstdint>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace troupe::internal {

/// Gives up a request or message whose handler ended by `error`.
inline void fail_handler(cell& owner, envelope& item, std::exception_ptr error) noexcept {
  reply_slot* const reply = item.reply;
  if (reply == nullptr) item.info->free(item);
  owner.handler_failed(reply, std::move(error));
}

/// What waits for a coroutine of an actor.
enum class waits : std::uint8_t {
  all,   ///< every message
  some,  ///< all but those that are interleaved
  none,
};

/// A coroutine that a cell waits for before its next message, unless it interleaves: a handler, on_start or on_stop. Runs as a task
/// of the actor; `End` is told how it ended.
template <class T, class End, waits Who>
class activity final : public typed_task<T>, public activity_base {
 public:
  activity(cell& owner, coro<T> body, End end)
      : typed_task<T>(owner.home(), std::move(body), {}, std::source_location()),
        activity_base(owner, end.in_hand()),
        end_(end) {}
  const task_base& as_activity() const noexcept override { return *this; }

 private:
  void on_ended(future_base::status how) noexcept override {
    this->retrieved_ = true;
    if (how == future_base::status::value) {
      end_.succeeded(this->result_);
    } else if (how == future_base::status::error) {
      std::exception_ptr error = this->result_.error();
      this->result_.clear();
      end_.failed(owner_, std::move(error));
    } else if (owner_.stop_wanted()) {
      end_.stopped(owner_);
    } else {
      end_.failed(owner_, owner_.stray_cancellation());
    }
    if constexpr (Who == waits::all) {
      owner_.activity_ended();
    } else if constexpr (Who == waits::some) {
      owner_.interleaved_activity_ended();
    } else {
      owner_.beside_ended();
    }
  }

  End end_;
};

template <waits Who = waits::all, class T, class End>
void start_activity(cell& owner, coro<T> body, End end, const message_info* message) {
  auto* const made = new activity<T, End, Who>(owner, std::move(body), end);
  if constexpr (Who == waits::none) {
    owner.run_beside(*made);
  } else {
    owner.run_activity(*made, message);
  }
}

/// The end of a coroutine handler of `M`: answers who asked, and frees the message.
template <class M>
struct handler_end {
  envelope* item;

  const envelope* in_hand() const noexcept { return item; }

  template <class T>
  void succeeded(outcome<T>& result) noexcept {
    if constexpr (request<M>) {
      if (item->reply != nullptr) {
        auto& asked = static_cast<ask_state<M>&>(*item->reply);
        if constexpr (std::is_void_v<reply_of<M>>) {
          asked.answer();
        } else {
          asked.answer(std::move(result.get()));
        }
        return;
      }
    }
    item->info->free(*item);
  }
  void failed(cell& owner, std::exception_ptr error) noexcept {
    fail_handler(owner, *item, std::move(error));
  }
  void stopped(cell& owner) noexcept {
    if (!owner.try_again(item->reply)) {
      owner.refuse(*item);
    } else if (item->reply == nullptr) {
      item->info->free(*item);  // it is a copy that waits
    }
  }
};

struct start_end {
  static const envelope* in_hand() noexcept { return nullptr; }
  void succeeded(outcome<void>&) noexcept {}
  void failed(cell& owner, const std::exception_ptr& error) noexcept {
    owner.stop_after_crash(error);
  }
  void stopped(cell&) noexcept {}
};

struct stop_end {
  static const envelope* in_hand() noexcept { return nullptr; }
  void succeeded(outcome<void>&) noexcept {}
  void failed(cell& owner, const std::exception_ptr& error) noexcept {
    owner.home().report({"on_stop of " + owner.description() + " threw", error});
  }
  void stopped(cell&) noexcept {}
};

}  // namespace troupe::internal
