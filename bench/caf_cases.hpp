// The cases that CAF actors measure, whoever runs them: CAF's own scheduler (peers/caf.cpp) or troupe's loops (troupe_caf.cpp). Messages are
// a std::int64_t, so nothing has to be registered.
//
// A Stage(loops) has a system with so many workers: system(); start(first, message), which sends and waits for finish(), which any thread
// may call once, and gives the time in nanoseconds; dismiss(actors), for a system waits for its actors when it goes.
#pragma once

#include <caf/all.hpp>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "harness.hpp"

namespace bench {

template <class Stage>
struct caf_cases {
  using actor = caf::actor;
  using behavior = caf::behavior;
  using event_based_actor = caf::event_based_actor;

  static constexpr std::int64_t next_chunk = -1;

  // Told once who comes next, then passes the token on; the last hop ends the run.
  static behavior pass_on(event_based_actor* self, std::atomic<std::int64_t>* left, Stage* on) {
    return {[=](const actor& next) {
      self->become([=](std::int64_t value) {
        // One token: whoever holds it is alone, the mailboxes order the accesses.
        const std::int64_t rest = left->load(std::memory_order_relaxed) - 1;
        left->store(rest, std::memory_order_relaxed);
        if (rest == 0) return on->finish();
        if (rest > 0) self->send(next, value + 1);
      });
    }};
  }

  template <int Size, caf::spawn_options Options>
  static double ring(const request& wanted) {
    return per_operation(wanted, [&](std::int64_t count) {
      // Detached actors leave the workers idle.
      Stage on{wanted.loops};
      std::atomic<std::int64_t> left{count};
      std::vector<actor> actors;
      for (int i = 0; i < Size; ++i) {
        actors.push_back(on.system().template spawn<Options>(&caf_cases::pass_on, &left, &on));
      }
      for (int i = 0; i < Size; ++i) caf::anon_send(actors[i], actors[(i + 1) % Size]);
      const double took = on.start(actors[0], 0);
      on.dismiss(actors);
      return took;
    });
  }

  // Passes parcels on; a message is how many hops a parcel has left. The first stage counts those that have come home.
  static behavior pass_parcels(event_based_actor* self, std::int64_t parcels, Stage* on) {
    return {[=](const actor& next) {
      self->become([=, left = parcels](std::int64_t hops) mutable {
        if (hops != 0) {
          self->send(next, hops - 1);
        } else if (--left == 0) {
          on->finish();
        }
      });
    }};
  }

  static double pipeline(const request& wanted) {
    constexpr std::int64_t stages = pipeline_stages;
    constexpr std::int64_t tokens = pipeline_tokens;
    return per_operation(wanted, [&](std::int64_t count) {
      const std::int64_t passes = (count + stages * tokens - 1) / (stages * tokens);
      Stage on{wanted.loops};
      std::vector<actor> actors;
      for (int i = 0; i < stages; ++i)
        actors.push_back(on.system().spawn(pass_parcels, tokens, &on));
      for (int i = 0; i < stages; ++i) caf::anon_send(actors[i], actors[(i + 1) % stages]);
      for (int i = 1; i < tokens; ++i) caf::anon_send(actors[0], passes * stages);
      const double took = on.start(actors[0], passes * stages);
      on.dismiss(actors);
      return took * static_cast<double>(count) / static_cast<double>(passes * stages * tokens);
    });
  }

  static behavior receive_all(event_based_actor*, std::int64_t count, Stage* on) {
    return {[=, sum = std::int64_t{0}](std::int64_t value) mutable {
      sum += value;
      if (--count == 0) on->finish();
    }};
  }

  // Sends a chunk, then goes to the back of the queue by a message to itself.
  static behavior send_all(event_based_actor* self, const actor& to, std::int64_t count) {
    return {[=](std::int64_t) mutable {
      for (std::int64_t i = 0; i < chunk && count > 0; ++i, --count) self->send(to, count);
      if (count > 0) {
        self->send(self, next_chunk);
      } else {
        self->quit();
      }
    }};
  }

  template <int Senders>
  static double fan_in(const request& wanted) {
    const auto run = [&](std::int64_t count) {
      Stage on{wanted.loops};
      const actor to = on.system().spawn(receive_all, count, &on);
      std::vector<actor> senders;
      for (int i = 0; i < Senders; ++i) {
        senders.push_back(on.system().spawn(send_all, to, count / Senders));
      }
      stopwatch watch;
      for (int i = 1; i < Senders; ++i) caf::anon_send(senders[i], next_chunk);
      on.start(senders[0], next_chunk);
      const double took = watch.nanoseconds();
      on.dismiss({to});
      return took;
    };
    return per_operation(wanted, run, 1 << 18);
  }

  static behavior answer(event_based_actor*) {
    return {[](std::int64_t value) { return value + 1; }};
  }

  static void ask_next(event_based_actor* self, const actor& to, std::int64_t value,
                       std::int64_t count, Stage* on) {
    self->request(to, caf::infinite, value).then([=](std::int64_t reply) {
      if (reply == count) return on->finish();
      ask_next(self, to, reply, count, on);
    });
  }

  static behavior ask_all(event_based_actor* self, const actor& to, std::int64_t count, Stage* on) {
    return {[=](std::int64_t first) { ask_next(self, to, first, count, on); }};
  }

  static double ask(const request& wanted) {
    return per_operation(wanted, [&](std::int64_t count) {
      Stage on{wanted.loops};
      const actor to = on.system().spawn(answer);
      const actor asker = on.system().spawn(ask_all, to, count, &on);
      const double took = on.start(asker, 0);
      on.dismiss({to, asker});
      return took;
    });
  }

  static behavior die_after_one(event_based_actor* self, std::atomic<std::int64_t>* alive,
                                Stage* on) {
    return {[=](std::int64_t) {
      self->quit();
      if (alive->fetch_sub(1) == 1) on->finish();
    }};
  }

  static behavior spawn_all(event_based_actor* self, std::int64_t count,
                            std::atomic<std::int64_t>* alive, Stage* on) {
    return {[=](std::int64_t) mutable {
      for (std::int64_t i = 0; i < chunk && count > 0; ++i, --count) {
        self->send(self->spawn(die_after_one, alive, on), count);
      }
      if (count > 0) {
        self->send(self, next_chunk);
      } else {
        self->quit();
      }
    }};
  }

  static double spawn(const request& wanted) {
    const auto run = [&](std::int64_t count) {
      std::atomic<std::int64_t> alive{count};
      Stage on{wanted.loops};
      return on.start(on.system().spawn(spawn_all, count, &alive, &on), next_chunk);
    };
    return per_operation(wanted, run, 1 << 16);
  }

  static behavior idle_actor(event_based_actor*, std::atomic<int>* started) {
    started->fetch_add(1);
    return {[state = std::int64_t{0}](std::int64_t value) mutable { state += value; }};
  }

  static double idle(const request& wanted) {
    Stage on{wanted.loops};
    std::atomic<int> started{0};
    std::vector<actor> actors;
    actors.reserve(idle_actors);
    const double before = resident_bytes();
    for (int i = 0; i < idle_actors; ++i) {
      actors.push_back(on.system().spawn(idle_actor, &started));
    }
    while (started.load() < idle_actors) std::this_thread::yield();
    const double after = resident_bytes();
    on.dismiss(actors);
    // The handles live in a vector that was reserved before and is touched now.
    return (after - before) / idle_actors - sizeof(actor);
  }
};

}  // namespace bench
