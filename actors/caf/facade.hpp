#pragma once

#include <troupe/actors/ask.hpp>
#include <troupe/actors/caf/errors.hpp>
#include <troupe/actors/caf/message.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>

#include <caf/actor_cast.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message_id.hpp>
#include <caf/monitorable_actor.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe::internal {

class caf_core;
class caf_facade;

/// Whom an answer goes to, as CAF has it.
struct caf_asker {
  ::caf::strong_actor_ptr facade;
  ::caf::strong_actor_ptr source;
  ::caf::message_id id;
  ::caf::mailbox_element::forwarding_stack stages;

  /// Pre: `source`.
  void answer(::caf::message content);
};

/// An ask by a CAF actor. Life: until it is over. Threads: the asked actor's loop.
template <class M>
class caf_ask final : public ask_state<M>, private observer {
 public:
  caf_ask(caf_asker&& given, cell& target, M&& asked)
      : ask_state<M>(*loop::current(), target, std::move(asked), infinite),
        observer(&caf_ask::on_done),
        asker_(std::move(given)) {
    this->release();  // no future of it is handed out
    this->add_observer(*this);
  }
  /// It may be over before this returns.
  void pass_on() noexcept { this->target().enqueue(this->request()); }

 private:
  static void on_done(observer& self) noexcept { static_cast<caf_ask&>(self).tell(); }
  void tell() noexcept {
    if (this->result_.has_error() || this->was_cancelled()) {
      // Who has only sent it does not want to hear of that.
      if (asker_.id.is_request())
        asker_.answer(::caf::make_message(this->was_cancelled()
                                              ? make_error(caf_refusal::no_reply)
                                              : to_caf_error(this->result_.error())));
    } else if constexpr (std::is_void_v<reply_of<M>>) {
      asker_.answer(::caf::message());
    } else {
      asker_.answer(to_caf_message(this->result_.get()));
    }
  }
  void destroy() noexcept override { delete this; }

  caf_asker asker_;
};

/// What is done with an `M` on its way to CAF, or from there.
struct caf_entry {
  const message_info* info;
  /// Sends it to the actor if it is one. On the actor's loop.
  bool (*deliver)(::caf::type_erased_tuple& content, cell& to, caf_asker& asker);
  ::caf::message (*take_out)(envelope& item);
  /// Answers the ask with it. False when it is no answer of this.
  bool (*answer)(::caf::type_erased_tuple& content, reply_slot& asked);
};

template <class M>
struct caf_entry_of {
  static bool deliver(::caf::type_erased_tuple& content, cell& to, caf_asker& asker) {
    std::optional<M> given = from_caf_message<M>(content);
    if (!given) return false;
    if constexpr (request<M>) {
      // As elsewhere in CAF, who has sent a message without asking is sent the answer, if there is one in it.
      if (asker.source != nullptr && (asker.id.is_request() || !std::is_void_v<reply_of<M>>)) {
        (new caf_ask<M>(std::move(asker), to, std::move(*given)))->pass_on();
        return true;
      }
    }
    to.enqueue(*new envelope_of<M>(std::move(*given)));
    return true;
  }
  static ::caf::message take_out(envelope& item) {
    return to_caf_message(static_cast<envelope_of<M>&>(item).message);
  }
  static bool answer(::caf::type_erased_tuple& content, reply_slot& asked) {
    if constexpr (request<M>) {
      auto& waiting = static_cast<ask_state<M>&>(asked);
      if constexpr (std::is_void_v<reply_of<M>>) {
        waiting.answer();
        return true;
      } else {
        std::optional<reply_of<M>> given = from_caf_message<reply_of<M>>(content);
        if (!given) return false;
        waiting.answer(std::move(*given));
        return true;
      }
    }
    return false;
  }
  static constexpr caf_entry value = {&envelope_of<M>::type, &deliver, &take_out, &answer};
};

/// News of the runtime, of monitors and links, is no message of CAF's, which has such news of its own.
template <class M>
  requires is_news<M>
struct caf_entry_of<M> {
  static constexpr caf_entry value = {
      &envelope_of<M>::type, [](::caf::type_erased_tuple&, cell&, caf_asker&) { return false; },
      [](envelope&) { return ::caf::message(); },
      [](::caf::type_erased_tuple&, reply_slot&) { return false; }};
};

/// All messages of a protocol. Its address stands for the protocol.
struct caf_table {
  const caf_entry* const* all;
  std::size_t count;

  const caf_entry* find(const message_info& info) const noexcept {
    for (std::size_t index = 0; index < count; ++index)
      if (all[index]->info == &info) return all[index];
    return nullptr;
  }
};

template <class P>
struct caf_table_of;
template <class... Ms>
struct caf_table_of<protocol<Ms...>> {
  static constexpr std::array<const caf_entry*, sizeof...(Ms)> entries = {
      &caf_entry_of<Ms>::value...};
  static constexpr caf_table value = {entries.data(), entries.size()};
};

/// A troupe actor, as CAF knows it: the identity and the address, at which messages are turned into those of its protocol and put into its
/// mailbox. It is no actor that CAF's system waits for, and does not keep the real one alive.
///
/// Life: made when the actor is first given to CAF; terminated with the real one, or with the system; then as long as CAF has handles.
/// Threads: any for what CAF calls, the real actor's loop for the rest.
class caf_facade final : public ::caf::monitorable_actor {
 public:
  caf_facade(::caf::actor_config& config, cell& real, const caf_table& messages);
  ~caf_facade() override;

  void enqueue(::caf::mailbox_element_ptr what, ::caf::execution_unit* host) override;
  const char* name() const override { return "troupe.actor"; }

  cell& real() const noexcept { return real_; }
  /// From now on it understands these, too. Threads: any, one at a time.
  void understands(const caf_table& messages);
  /// Whether it understands all of these. Threads: any.
  bool covers(const caf_table& messages) const noexcept;

 private:
  struct known {
    const caf_table* messages;
    const known* before;
  };
  struct arrival;

  void take(::caf::mailbox_element_ptr& what) noexcept;
  void take_exit(const ::caf::exit_msg& end, const ::caf::strong_actor_ptr& from);
  bool deliver(::caf::mailbox_element& what);
  void refuse(::caf::mailbox_element_ptr& what) noexcept;
  void fail_request(::caf::mailbox_element& what, ::caf::error why);

  cell& real_;
  std::atomic<const known*> known_{nullptr};  ///< owned
};

/// The handle that CAF has of an actor, made if it has none. Errors: `invalid_state` off a loop, or without a caf_system.
::caf::strong_actor_ptr caf_handle_of(cell* real, const caf_table& messages);

}  // namespace troupe::internal
