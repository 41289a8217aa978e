#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/cluster/codec.hpp>
#include <troupe/actors/cluster/common_name.hpp>
#include <troupe/actors/cluster/layout.hpp>
#include <troupe/actors/cluster/node_access.hpp>
#include <troupe/actors/cluster/remote.hpp>
#include <troupe/actors/cluster/stores.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/future.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

// How messages are delivered reliably: each is numbered by its sender, and asked of the receiver in the order of the numbers, until there is an answer.

namespace troupe::cluster::internal {

/// What became of a message that was delivered.
struct receipt {
  enum class sort : std::uint8_t {
    handled,
    refused,  ///< for good, with the reason
    again     ///< those before it have not come, or it cannot be handled now
  };
  sort what = sort::handled;
  std::string text;
};

template <class M>
struct delivery {
  using reply = receipt;
  std::string sender;
  std::uint64_t number = 0;  ///< the sender's messages are numbered from 1
  std::uint64_t oldest = 0;  ///< of those that the sender still wants to be handled
  M content;
};

/// Left undefined: the compiler names the message in the one line that says what is wrong.
template <class Message>
struct reliable_message_has_to_name_its_reply_such_as_void;
template <class Message>
struct reliable_message_cannot_be_copied;

template <class M>
constexpr void check_reliable() {
  if constexpr (!request<M>) {
    static_cast<void>(sizeof(reliable_message_has_to_name_its_reply_such_as_void<M>));
  } else if constexpr (!std::copy_constructible<M>) {
    static_cast<void>(sizeof(reliable_message_cannot_be_copied<M>));
  }
}

template <class P>
struct delivered;
template <class... Ms>
struct delivered<protocol<Ms...>> {
  using type = protocol<delivery<Ms>...>;
};
/// What the receiver of messages of `P` understands.
template <class P>
using deliveries_of = typename delivered<P>::type;

/// The name under which the receiver is published that stands before an actor. Errors: std::invalid_argument.
std::string receiver_name(std::string_view name);

// --- the receiver's side ----------------------------------------------------------------------------------------------

/// What is known of a sender: where in its numbers one is.
struct sender_line {
  std::uint64_t last = 0;   ///< handled, and all before it
  std::uint64_t floor = 0;  ///< the sender wants no answer up to here
  std::uint64_t tried = 0;  ///< the number that was given to the actor last
  int attempts = 0;         ///< and how often
  bool busy = false;        ///< one is being handled
  enum class asked : std::uint8_t { not_yet, now, done };
  asked store = asked::not_yet;
  std::multiset<std::uint64_t> here;  ///< being handled, or waiting for those before
  std::multimap<std::uint64_t, event*> waiting;
  event store_answered;    ///< pulses
  std::uint64_t used = 0;  ///< when, in numbers of deliveries

  void wake(std::uint64_t number);
};

/// What a node knows of the senders to one name, whatever actor is published under it by then.
struct sender_lines {
  std::map<std::string, std::shared_ptr<sender_line>, std::less<>> all;
  std::uint64_t deliveries = 0;

  /// Of that sender. Where there are more than so many, what is known of the one is forgotten of whom nothing came for longest.
  std::shared_ptr<sender_line> of(const std::string& sender, std::size_t most);
};
std::shared_ptr<sender_lines> lines_of(node_access on, const std::string& name);

/// The place of a delivery among those of its sender.
class delivery_place {
 public:
  delivery_place(std::shared_ptr<sender_line> line, std::uint64_t number, std::uint64_t oldest);
  ~delivery_place();
  delivery_place(const delivery_place&) = delete;
  delivery_place& operator=(const delivery_place&) = delete;

  /// Waits until it is this one's turn to be handled. Gives what else there is to say of it: that it was handled, or has to come again.
  coro<std::optional<receipt::sort>> turn(receiver_store* store, std::string sender,
                                          std::size_t most);
  /// It has been handled, or refused for good.
  void done() noexcept;
  /// Its handler has failed. Gives whether that is often enough.
  bool failed(int most) noexcept;

 private:
  coro<bool> ask_store(receiver_store& store, std::string sender);
  std::shared_ptr<sender_line> line_;
  const std::uint64_t number_;
  bool in_hand_ = false;
};

enum class attempt_end : std::uint8_t { settled, again, actor_gone };
/// What the end of an attempt to have it handled means; `made` is what is answered when it is settled.
attempt_end judge_attempt(const std::exception_ptr& failed, delivery_place& place, int most,
                          receipt& made);
coro<> note_handled(std::shared_ptr<receiver_store> store, std::string sender,
                    std::uint64_t number);

// --- the sender's side ------------------------------------------------------------------------------------------------

/// A message in an outbox.
class outgoing {
 public:
  virtual ~outgoing() = default;
  virtual future<receipt> ask(cell& receiver, const std::string& sender,
                              std::uint64_t oldest) const = 0;
  virtual stored_message stored() const = 0;

  std::uint64_t number = 0;
  std::optional<promise<void>> handled;  ///< for whoever waits
};

template <class M>
class outgoing_of final : public outgoing {
 public:
  explicit outgoing_of(M&& given) : message_(std::move(given)) {}

  future<receipt> ask(cell& receiver, const std::string& sender,
                      std::uint64_t oldest) const override {
    receiver.retain();
    const actor_ref<protocol<delivery<M>>> to(receiver);
    delivery<M> made{sender, number, oldest, message_};
    return to.ask(std::move(made), infinite);
  }
  stored_message stored() const override {
    writer to;
    encode(to, message_);
    const io::bytes content = to.take();
    return {number, common_name(type_name<M>()), layout_text<M>(), std::string(content.text())};
  }
  /// The same from a store. Errors: `malformed`.
  static std::unique_ptr<outgoing> restored(const stored_message& kept) {
    const layout then = layout::parse(kept.layout);
    const layout now = layout::parse(layout_text<M>());
    if (!readable(now, then))
      throw malformed("an outbox has kept a '" + kept.type + "' of layout " + kept.layout +
                      ", which is now " + now.text());
    const io::bytes content(kept.content);
    reader from(content.span());
    return std::make_unique<outgoing_of>(decode<M>(from, then == now ? nullptr : &then));
  }

 private:
  const M message_;
};

}  // namespace troupe::cluster::internal
