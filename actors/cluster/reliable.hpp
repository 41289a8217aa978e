#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/cluster/delivery.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/cluster/outbox.hpp>
#include <troupe/actors/cluster/stores.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// Messages between nodes are lost with the connection. These are not: each is sent again until it was handled, and handled once.

namespace troupe::cluster {

template <class P>
class reliable;

/// Sends messages to the actor that is published by a name, with `publish_reliably`, wherever and as often as that has to begin anew.
///
///     cluster::publish_reliably(here, "orders", taker);             // on one node: taker is an actor_ref<order_protocol>
///
///     cluster::reliable<order_protocol> orders(here, "orders");     // on another
///     co_await orders.send(order(3, "pears"));                      // accepted: the rest is no business of ours
///     co_await orders.flushed();                                    // all were handled
///
/// Messages have to name a reply, `void` for instance, and to be copied: that the handler has ended acknowledges one. What it answers is dropped.
///
/// Each accepted message is handled, one after the other in the order in which they were sent; exactly once as long as the receiver's node lives,
/// whatever becomes of connections and of the actor. Ends of programs are what remains:
/// - the receiver's: the next one that is published by that name has those that were not acknowledged handled, perhaps again (unless it has a
///   `receiver_options::store`, that is told of each right after it was handled);
/// - the sender's: what was not acknowledged is lost, unless it has a `reliable_options::store`; and with one may be handled again by a receiver that
///   knows nothing of it.
/// - When two nodes publish the name, the one is sent to that `lookup` would find; what was under way when it is lost may be handled by both.
///
/// A message that the handler has `rejected`, whose handler has failed too often, that the receiver does not understand, or that is too large, is done
/// with: `deliver` throws that, and of a `send` it is reported and counted (`refused`). The next ones follow.
///
/// Life: what is not acknowledged when it goes is given up, and reported, unless there is a store. Threads: the node's loop.
template <class... Ms>
class reliable<protocol<Ms...>> {
 public:
  using protocol_type = protocol<Ms...>;

  /// Errors: std::invalid_argument for options that make no sense; `invalid_state` off the node's loop.
  reliable(node& on, std::string_view name, reliable_options options = {}) {
    (internal::check_reliable<Ms>(), ...);
    core_ = std::make_shared<internal::outbox>(
        on, name, internal::table_of<internal::deliveries_of<protocol_type>>::value,
        std::move(options), &restored);
    core_->begin();
  }
  ~reliable() { core_->close("its sender has gone"); }
  reliable(const reliable&) = delete;
  reliable& operator=(const reliable&) = delete;

  /// Has `m` sent; the future is done when it is accepted: it has a place in the outbox, and is in the store, if there is one. Waits while the outbox is
  /// full. What was sent first is handled first, also if nobody awaits it.
  /// Errors, at once and at the await: `invalid_state` when the node has left; what the store throws.
  /// Cancel: takes it back as long as it waits for room.
  template <message M>
  auto send(M m) {
    return named_if_unsafe<M>(core_->add(made(std::move(m)), false));
  }
  /// The same, and the future is done when it was handled. Errors: also `rejected` with what became of it; `unknown_message`; `message_too_large`.
  /// Cancel: takes it back as long as it waits for room.
  template <message M>
  auto deliver(M m) {
    return named_if_unsafe<M>(core_->add(made(std::move(m)), true));
  }
  /// Sends it if there is room and nobody waits for some; returns whether. Errors: `invalid_state` when the node has left, or there is a store.
  template <message M>
  bool try_send(M m) {
    return core_->try_add(made(std::move(m)));
  }

  /// Waits until nothing is unacknowledged. Errors: `invalid_state` when the node leaves, or this goes.
  coro<> flushed() { return internal::outbox::flushed(core_); }

  /// How many are accepted, and not acknowledged.
  std::size_t unacknowledged() const noexcept { return core_->unacknowledged(); }
  /// How many were not handled, in the end.
  std::uint64_t refused() const noexcept { return core_->refused(); }
  /// For people.
  std::string describe() const { return core_->describe(); }

 private:
  template <class M>
  static std::unique_ptr<internal::outgoing> made(M&& m) {
    if constexpr (accepts<protocol_type, M>) {
      return std::make_unique<internal::outgoing_of<M>>(std::move(m));
    } else {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, protocol_type>));
      return nullptr;
    }
  }
  template <class M>
  static auto named_if_unsafe(future<void> result) {
    if constexpr (troupe::internal::temporary_is_unsafe<M>) {
      return named_future<void>(std::move(result));
    } else {
      return result;
    }
  }
  static std::unique_ptr<internal::outgoing> restored(const stored_message& kept) {
    std::unique_ptr<internal::outgoing> found;
    const auto look = [&]<class M>(const M* /*type*/) {
      if (found == nullptr && internal::common_name(type_name<M>()) == kept.type)
        found = internal::outgoing_of<M>::restored(kept);
    };
    (look(static_cast<const Ms*>(nullptr)), ...);
    if (found == nullptr)
      throw malformed("an outbox has kept a '" + kept.type + "', which is not in its protocol");
    return found;
  }

  std::shared_ptr<internal::outbox> core_;
};

struct receiver_options {
  /// How often a message is given to the actor whose handler fails at it, before it is refused.
  int attempts = 3;
  duration pause = std::chrono::seconds(1);  ///< between them: supervisors count restarts
  std::size_t window = 256;  ///< of one sender that may wait here for those before them
  /// Of whom it is known what they have sent. Of more, those are forgotten that were silent for longest.
  std::size_t most_senders = 10'000;
  /// With a store what was handled is known to the next program that has the same.
  std::shared_ptr<receiver_store> store = {};
};

namespace internal {

void check(const receiver_options& options);

/// Stands before an actor, and gives it each message once, in the order of its sender.
template <class P>
class receiver;
template <class... Ms>
class receiver<protocol<Ms...>> final : public actor<protocol<delivery<Ms>..., down>> {
 public:
  using interleave = all_messages;
  static constexpr std::string_view class_name = "receiver of reliable messages";

  receiver(const node_access& on, std::shared_ptr<sender_lines> lines,
           actor_ref<protocol<Ms...>> who, receiver_options options)
      : on_(on),
        lines_(std::move(lines)),
        who_(std::move(who)),
        options_(std::make_shared<const receiver_options>(std::move(options))) {
    this->monitor(who_);
  }

  void on_start() { this->create_task(end_with_node()); }
  void on(down) { this->stop(); }

  template <class M>
  coro<receipt> on(delivery<M> given) {
    auto place = std::make_unique<delivery_place>(lines_->of(given.sender, options_->most_senders),
                                                  given.number, given.oldest);
    auto waiting = place->turn(options_->store.get(), given.sender, options_->window);
    const std::optional<receipt::sort> known = co_await std::move(waiting);
    if (known) {
      receipt made;
      made.what = *known;
      co_return made;
    }
    // Once the actor has it, that it was handled has to be noted, whatever becomes of this one.
    auto handling = troupe::create_task(handle(std::move(place), std::move(given), who_, options_),
                                        {.name = "handle what was sent reliably", .eager = true});
    auto shielded = shield(std::move(handling));
    co_return co_await std::move(shielded);
  }

 private:
  template <class M>
  static coro<receipt> handle(std::unique_ptr<delivery_place> place, delivery<M> given,
                              actor_ref<protocol<Ms...>> who,
                              std::shared_ptr<const receiver_options> options) {
    receipt made;
    for (auto ended = attempt_end::again; ended != attempt_end::settled;) {
      M copy = given.content;
      future<reply_of<M>> asked = who.ask(std::move(copy), infinite);
      std::exception_ptr failed;
      try {
        co_await std::move(asked);
      } catch (const cancelled&) {
        throw;
      } catch (...) {
        failed = std::current_exception();
      }
      ended = judge_attempt(failed, *place, options->attempts, made);
      if (ended == attempt_end::actor_gone) {
        made.what = receipt::sort::again;
        co_return made;
      }
      if (ended == attempt_end::again) co_await sleep(options->pause);
    }
    place->done();
    if (options->store != nullptr) {
      auto noting = note_handled(options->store, given.sender, given.number);
      co_await std::move(noting);
    }
    co_return made;
  }
  coro<> end_with_node() {
    try {
      for (;;) co_await on_.next_name();
    } catch (const invalid_state&) {
    }
    this->stop();
  }

  node_access on_;
  std::shared_ptr<sender_lines> lines_;
  actor_ref<protocol<Ms...>> who_;
  std::shared_ptr<const receiver_options> options_;
};

}  // namespace internal

/// Publishes `who` for those who send reliably to that name, apart from the names of `node::publish`. Gives the actor that stands before it: it ends with `who`, and with the
/// node; stop it to receive no more.
///
/// A handler that throws `rejected` is done with its message. One that throws something else crashes, and is given it again, by and by: after a restart by its
/// supervisor, or when another actor is published by the name.
/// Errors: std::invalid_argument for options, or a name, that make no sense; `invalid_state` off the node's loop, and when the node has left.
/// Threads: the node's loop.
template <class... Ms>
any_actor publish_reliably(node& on, std::string_view name, const actor_ref<protocol<Ms...>>& who,
                           receiver_options options = {}) {
  (internal::check_reliable<Ms>(), ...);
  internal::check(options);
  internal::node_access access(on);
  std::string published = internal::receiver_name(name);
  auto lines = internal::lines_of(access, published);
  const auto made =
      spawn<internal::receiver<protocol<Ms...>>>(access, std::move(lines), who, std::move(options));
  access.publish(std::move(published), *made.cell(),
                 internal::table_of<internal::deliveries_of<protocol<Ms...>>>::value);
  return made;
}

}  // namespace troupe::cluster
