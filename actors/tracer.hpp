#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>

namespace troupe {

/// Something that happened to an actor or to a message. Actors and messages have numbers, from 1, in the order in which the tracer
/// meets them; 0 stands for none. What code outside of actors does is done by actor 0.
struct trace_event {
  enum class kind : unsigned char {
    spawned,    ///< `actor` begins: its constructor has returned, or thrown, or has spawned a child
    sent,       ///< `message`, by `by` to `actor`
    delivered,  ///< `message` is handled now, by `actor`
    replied,    ///< the ask `message` of `actor` was answered, by `by`
    failed,  ///< the ask `message` of `actor` came to `error` instead; to null when it was withdrawn
    lost,    ///< `message` to `actor` was not handled: a dead letter
    crashed,    ///< `actor`, by `error`
    restarted,  ///< `actor` has been constructed anew, after its end or crash
    stopped,    ///< `actor` has ended, by `error` when it crashed
  };

  kind what;
  std::uint64_t number =
      0;  ///< of the event: the order in which they happened, where one could have caused the other
  time_point when{};        ///< on the clock of the loop
  std::size_t on_loop = 0;  ///< where it happened
  std::uint64_t actor = 0;  ///< whom it happened to
  std::uint64_t message =
      0;                    ///< an ask keeps its number until its answer, and when it is passed on
  std::uint64_t by = 0;     ///< who did it: whose handler, or task, ran
  std::uint64_t cause = 0;  ///< the message that was being handled when it was done
  any_actor who = {};       ///< whom it happened to; nobody where that is no actor
  std::string_view type = {};  ///< of the message
  bool ask = false;            ///< an answer is waited for
  std::exception_ptr error = {};

  /// The message itself when it is an `M` and is sent, delivered or lost now, else null. Valid inside `tracer::see`.
  template <class M>
  const M* content() const noexcept {
    return carried != nullptr && carried->info == &internal::envelope_of<M>::type
               ? &static_cast<const internal::envelope_of<M>*>(carried)->message
               : nullptr;
  }
  const internal::envelope* carried = nullptr;
};

/// The name of a kind: "sent".
std::string_view to_string(trace_event::kind what) noexcept;

/// One who sees all that actors do: for test kits, inspectors, logs. What it does itself while it sees is not traced; but what others do
/// with a message that it sends is, so let it not tell an actor of this runtime something for each event.
class tracer {
 public:
  /// Threads: the loop where it happens; several at once, when the runtime has several.
  virtual void see(const trace_event& happened) noexcept = 0;

 protected:
  tracer() = default;
  ~tracer() = default;
  tracer(const tracer&) = default;
  tracer& operator=(const tracer&) = default;
};

/// Has `by` see what happens on the loops of this runtime, in place of the one before; on this loop from now on, on the others soon:
/// the future is done when all of them do. Actors that are there already are told of as spawned.
/// `by` has to stay until the runtime has ended, or `stop_tracing` is done.
/// Errors: `invalid_state` off a loop.
/// Cost: where nobody has ever traced, some five instructions per spawn and three per message to another loop, else nothing. Traced,
/// each message is a turn of its own, and takes a lock, a few allocations and a look-up or two besides what `see` does.
future<void> trace_actors(tracer& by);

/// Ends it: nothing is seen any more once the future is done. Errors: `invalid_state` off a loop.
future<void> stop_tracing();

}  // namespace troupe
