#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <stdexcept>
#include <utility>

namespace troupe {

/// What a pool ends with whose workers end too often.
struct pool_gave_up : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct pool_options {
  std::size_t least = 1;  ///< workers that are there from the beginning and stay
  std::size_t most = 4;   ///< workers there may be
  duration idle_time = std::chrono::seconds(10);  ///< after which a worker too many is stopped
  place on = place::here;                         ///< where the workers live
  /// How often workers may fail in that time. One more, and the pool crashes with `pool_gave_up`.
  std::size_t failures = 10;
  duration within = std::chrono::seconds(5);
};

namespace internal {

class crew;

crew& make_crew(cell& owner, const pool_options& options, callable<any_actor()> hire);
void take(crew& by, envelope& item) noexcept;
void dismiss(crew& gone) noexcept;

}  // namespace internal

/// An actor that has its messages handled by several workers of class `A`, its children: as many at a time as there are workers, so it
/// bounds how much of something goes on at once.
///
///     auto fetchers = spawn<pool<fetcher>>(pool_options{.most = 8}, std::ref(cache));   // an actor_ref of fetcher's protocol
///     auto page = co_await fetchers.ask(fetch("https://..."));
///
/// A worker has one message at a time, the first when it has started. Messages for which none is idle wait in the pool's mailbox, whose
/// bound is set like that of any actor: `spawn<pool<fetcher>>({.mailbox = {.capacity = 100}}, pool_options{...})`. For what waits more
/// workers are started, up to `most`. One that has been idle for `idle_time` is stopped while there are more than `least`.
///
/// Each worker is made from copies of the arguments behind the options (`std::ref` for references). One that crashes, is killed, or stops
/// itself is replaced; who asked it gets its error, and the messages that wait are not touched. What counts as a failure is a crash,
/// a kill, a constructor that throws, and an end before it has started; after the latter two the next worker is made a tenth of a second
/// later.
///
/// Messages of one sender are begun in the order they were sent, and may end in another. A worker that puts off its answer by a
/// `reply_to` gets the next message when its handler has returned.
/// Life: an actor's, and its workers stop with it, the messages in their hands likewise. Errors of its constructor: std::invalid_argument when `most` is none or less than
/// `least`; what the constructor of a worker throws.
/// Cost: two more passages than a message of its own: to the worker, and the word that it has ended.
template <class A>
class pool : public actor<typename A::protocol_type> {
 public:
  template <class... Args>
  explicit pool(pool_options options = {}, Args... args)
      : crew_(internal::make_crew(*this->self().cell(), options,
                                  [this, on = options.on, ... args = std::move(args)] {
                                    return any_actor(this->template spawn<A>(on, args...));
                                  })) {}
  ~pool() { internal::dismiss(crew_); }

  /// For the runtime: takes over a message.
  void pass_on(internal::envelope& item) noexcept { internal::take(crew_, item); }

 private:
  internal::crew& crew_;
};

}  // namespace troupe
