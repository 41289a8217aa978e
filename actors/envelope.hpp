#pragma once

#include <troupe/actors/type_name.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/work.hpp>

#include <exception>
#include <string_view>
#include <utility>

namespace troupe::internal {

class cell;
class open_ask;
struct envelope;

/// What is known of a message type at run time; its address stands for the type.
struct message_info {
  std::string_view name;
  void (*free)(envelope&) noexcept;  ///< destroys a told message and gives its memory back
  /// What a turn does that finds it in the mailbox and has no handler for it. Something else than `free` for what is no message of
  /// anybody's, and only keeps a place there: see `keyed_timer`.
  void (*reached)(envelope&) noexcept = free;
  bool always_fits = false;  ///< limits of mailboxes pass it over: news, or no message of anybody
};

/// The answering end of an ask, as the asked actor sees it.
class reply_slot {
 public:
  /// Whether the asker has given up, so that the request need not be handled any more.
  virtual bool withdrawn() const noexcept = 0;
  /// Destroys the request and ends the ask with an error. Called once, instead of an answer.
  virtual void fail(std::exception_ptr error) noexcept = 0;
  /// The request lies in the mailbox now. What waited for that only, and for no answer, lets go of `item`. False when it has been
  /// withdrawn and `item` is freed.
  virtual bool admitted([[maybe_unused]] envelope& item) noexcept { return true; }
  /// Destroys the request, which was withdrawn before anybody began with it. Called once, instead of an answer.
  virtual void skip() noexcept { fail(nullptr); }
  /// It as what waits for an answer, or for room; null for what only passes a message on.
  virtual const open_ask* as_ask() const noexcept { return nullptr; }

 protected:
  ~reply_slot() = default;
};

/// A message on its way: linked into the mailbox of an actor on the same loop, or posted as a work to another loop, which
/// puts it there.
struct envelope : work {
  explicit envelope(const message_info& type, reply_slot* slot = nullptr) noexcept
      : work(nullptr), info(&type), reply(slot) {}

  envelope* next_envelope() const noexcept { return static_cast<envelope*>(next); }
  /// Whether it is no message, and only keeps a place.
  bool is_place() const noexcept { return info->reached != info->free; }

  const message_info* info;
  reply_slot* reply;       ///< null for a tell
  cell* target = nullptr;  ///< set, and counted, while it is posted to another loop
};

/// Whether an `M` is news that the runtime sends: limits of mailboxes do not hold for it.
template <class M>
inline constexpr bool is_news = false;

/// The envelope of an `M`. Told, it is a block of its own; asked, it is part of the ask's state. Whoever ends it destroys the
/// message.
template <class M>
struct envelope_of final : envelope, pooled {
  explicit envelope_of(M&& given, reply_slot* slot = nullptr)
      : envelope(type, slot), message(std::move(given)) {
    static_assert(
        alignof(M) <= pool_granule,
        "a message that needs more than 16-byte alignment: keep what needs it behind a pointer");
  }
  ~envelope_of() {}

  void destroy_message() noexcept { message.~M(); }

  static void free_told(envelope& item) noexcept {
    auto* const told = static_cast<envelope_of*>(&item);
    told->destroy_message();
    delete told;
  }
  static constexpr message_info type{
      .name = type_name<M>(), .free = &free_told, .always_fits = is_news<M>};

  union {
    M message;
  };
};

}  // namespace troupe::internal
