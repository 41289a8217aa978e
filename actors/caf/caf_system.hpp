#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/time.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>

namespace troupe {

namespace internal {
class caf_core;
}

/// A CAF system was to end, and some of its actors have not, although they were told to: such as have a thread of their own and wait for
/// something else than messages, or are kept from ending by somebody who holds a handle of a detached actor.
struct caf_actors_left : std::runtime_error {
  explicit caf_actors_left(std::size_t how_many);
  std::size_t count;  ///< of actors; zero when only threads are left
};

/// A CAF actor system whose actors run on the loops of this runtime, beside its tasks, actors and sockets. What CAF's own scheduler would
/// do with threads of its own, its loops do: a program needs to change nothing but the line that makes its system. Detached and blocking
/// actors have threads of their own as before, and so has what prints for `aout`.
///
///   troupe::caf_system sys;
///   auto worker = sys->spawn(make_worker);
///   ...
///   co_await sys.actors_done();
///
/// An actor stays on the loop where it has run first: that of the actor that has spawned it, or, when none has, the next loop in turn.
/// On virtual time, and in a simulation, CAF's clock is virtual as well; detached and blocking actors do not belong there.
///
/// Life: made on a loop, its home, one per runtime at a time; it ends when `shutdown` says so, when this object goes, or with the runtime:
/// then its actors are told to exit. None of these blocks a loop. The runtime waits for its end as for that of its own actors; what has not
/// ended after `shutdown_timeout` is killed, and after that left behind, which is reported.
/// Threads: the home's, except for what `operator*` gives, which is as thread-safe as CAF says.
class caf_system {
 public:
  /// With CAF's defaults. Errors: `invalid_state` off a loop, while the runtime ends, or when it has one already.
  caf_system();
  /// With a configuration of the program's; its scheduler is replaced. `scheduler.max-throughput` limits for how many messages at a time an
  /// actor runs. Errors: as above; what CAF throws.
  explicit caf_system(std::unique_ptr<::caf::actor_system_config> config);
  caf_system(const caf_system&) = delete;
  caf_system& operator=(const caf_system&) = delete;
  /// Has it end, and does not wait.
  ~caf_system();

  /// Pre: it has not ended.
  ::caf::actor_system& operator*() const noexcept;
  ::caf::actor_system* operator->() const noexcept { return &**this; }

  /// How many actors have not ended. Threads: any.
  std::size_t running() const noexcept;
  /// Waits until all have but so many; this is what the end of a `caf::actor_system` does elsewhere.
  /// Cancel: changes nothing. Cost: looks, every 1 to 16 ms; CAF tells only threads.
  coro<> actors_done(std::size_t but = 0) const;
  /// Tells all actors to exit, as by `caf::anon_send_exit(each, user_shutdown)`, waits until they have, kills after `patience` those that
  /// have not, and ends the system. Actors that have never run, and detached and blocking ones, are not told: they are to end by themselves.
  /// Errors: `caf_actors_left` when some have not ended after `patience` once more; the runtime's end then goes on with it.
  /// `invalid_state` elsewhere than at home. Cancel: it ends all the same.
  coro<> shutdown(duration patience = std::chrono::seconds(10)) const;

 private:
  std::shared_ptr<internal::caf_core> core_;
};

}  // namespace troupe
