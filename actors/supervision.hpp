#pragma once

#include <troupe/actors/mailbox_options.hpp>
#include <troupe/actors/place.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <string_view>

namespace troupe {

// Supervision. Any actor, a process by its mailbox, can supervise children: it starts them by `supervise` instead of `spawn`, and what
// they do when they fall is decided by these rules, on its loop, outside its mailbox. The words and rules are Erlang/OTP's; what differs is said.
//
// A *fall* is an end that is to be followed by a restart. Whether an end is one, depends on the kind of the child and on its reason:
//
//   restart::     crashed, killed    stopped (by itself or by who has its ref)    stopped by its parent, or with the runtime
//   permanent     restart            restart                                      ends
//   transient     restart            ends                                         ends
//   temporary     ends               ends                                         ends
//
// A restart is in place: the object is taken down as by a stop (its tasks, its children, on_stop), destroyed, and constructed
// anew from the arguments that `supervise` was given, which are copied for each start. The ref stays valid, what waits in the mailbox
// stays there and is handled by the new object, and monitors hear nothing; they hear of the end. (OTP starts another process with an
// empty mailbox, and monitors hear of each.) Monitors that the old object had set are gone, its links too, and so are a `down` or `exited`
// that it had not handled: the new object watches again whom it wants to watch (as in Akka).
// The message in hand is lost, and who asked gets the exception; with `in_hand::retry_once` the new object handles it once more, before
// all but urgent ones, and only its second failure is the asker's. That needs a message that can be copied, before each is handled, and a class
// that does not interleave: a message of any other is lost, and so is one of a process, and a request whose `reply_to` the handler has
// put elsewhere. While an actor is down it takes messages, so that asks may run out of time. The table holds then as well: a stop
// ends a transient child that waits for its restart; after a kill, or a stop of a permanent one, it comes back, and `stop_child` is for good.
//
// Which children restart together:
//   one_for_one   the one that fell.
//   one_for_all   all: the others are taken down too, the youngest first, then all are started, the oldest first.
//   rest_for_one  the one that fell and those that were started after it, likewise.
// A temporary child that is taken down with others ends. A child whose construction or on_start fails at a restart has fallen again.
// Of several that restart together, each is started when on_start of the one before has ended; children that are supervised for the
// first time are started at once, in the order of the calls, as `spawn` does.
//
// Limits: more than `max_restarts` falls within `within`, and the supervisor gives up: it crashes with `restarts_exhausted`, which
// says who fell and why. Its children end with it, and its own supervisor decides. (OTP's defaults are 1 in 5 s; ours are Elixir's, 3 in
// 5 s. `max_restarts` 0: the first fall is one too many.)
//
// Delays: a restart follows at once, or, with `backoff::first`, after that; each further fall of the same child multiplies it by
// `factor` up to `most`, and each delay is made longer or shorter at random by up to `jitter` of it. A child that has been up for longer
// than `most` and `within` begins again at `first`. (OTP has no delays.)
//
// Taking down: a child has `shutdown` to stop, be it for a restart of several or because its parent stops; then it is killed. (OTP's
// default is 5 s too; its brutal_kill is a `shutdown` of zero.)
//
// Every restart is reported to the failure handler with its cause. A child that ends, and does not fall, is forgotten, whatever its
// kind; it can be supervised anew. (OTP keeps its specification.)

/// Which children restart when one has fallen; see above.
enum class strategy : unsigned char { one_for_one, one_for_all, rest_for_one };

/// After which ends a child is restarted; see above.
enum class restart : unsigned char { permanent, transient, temporary };

/// What becomes of the message that a child was handling when it fell; see above.
enum class in_hand : unsigned char { drop, retry_once };

/// How long to wait before a restart.
struct backoff {
  duration first{};  ///< zero: no delays
  duration most = std::chrono::seconds(30);
  double factor = 2;
  double jitter = 0.2;
};

/// How an actor supervises its children.
struct supervision {
  strategy how = strategy::one_for_one;
  std::size_t max_restarts = 3;
  duration within = std::chrono::seconds(5);
  backoff delay = {};
};

/// How a child is supervised.
struct child_options {
  std::string_view name = {};  ///< shown in reports beside the class; copied
  restart when = restart::permanent;
  duration shutdown = std::chrono::seconds(5);
  in_hand message = in_hand::drop;
  place on = place::here;
  mailbox_options mailbox = {};
};

}  // namespace troupe
