// CAF as it comes, between two processes over the loopback: its middleman and its scheduler with their default settings, messages of
// a type that is registered as its manual has it.
#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <future>
#include <stdexcept>
#include <string>

#include "../harness.hpp"
#include "../other_end.hpp"

namespace {

using caf::actor;
using caf::actor_system;
using caf::event_based_actor;

struct small {
  bench::payload content{};
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, small& s) {
  return f(caf::meta::type_name("small"), s.content);
}

struct numbered {
  bench::payload content{};
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, numbered& n) {
  return f(caf::meta::type_name("numbered"), n.content);
}

struct config : caf::actor_system_config {
  config() {
    load<caf::io::middleman>();
    add_message_type<small>("small");
    add_message_type<numbered>("numbered");
  }
};

using count_atom = caf::atom_constant<caf::atom("count")>;
using start_atom = caf::atom_constant<caf::atom("start")>;
using more_atom = caf::atom_constant<caf::atom("more")>;

struct tally {
  std::int64_t arrived = 0;
  std::int64_t out_of_order = 0;
};

caf::behavior serve(caf::stateful_actor<tally>* self) {
  return {
      [](small& s) { return std::move(s); }, [](std::string& large) { return std::move(large); },
      [=](const numbered& n) {
        if (n.content[0] != static_cast<std::uint64_t>(self->state.arrived))
          ++self->state.out_of_order;
        ++self->state.arrived;
      },
      [=](count_atom) { return std::make_tuple(self->state.arrived, self->state.out_of_order); }};
}

int serve_others() {
  config made;
  actor_system system{made};
  const auto port = system.middleman().publish(system.spawn(serve), 0, "127.0.0.1", true);
  if (!port) {
    std::fprintf(stderr, "%s\n", system.render(port.error()).c_str());
    return 1;
  }
  bench::other_end::announce(*port);
  system.await_all_actors_done();
  return 0;
}

// What one trial is to do, and where its end is told.
struct trial {
  actor to;
  std::int64_t count;
  std::promise<void> done;

  void fail(const std::string& why) {
    done.set_exception(std::make_exception_ptr(std::runtime_error(why)));
  }
};

template <class Message>
struct asking {
  trial* of = nullptr;
  Message message{};
  std::int64_t asked = 0;
  std::int64_t answered = 0;
};

template <class Message>
void ask_next(caf::stateful_actor<asking<Message>>* self) {
  auto& state = self->state;
  if (state.asked == state.of->count) return;
  ++state.asked;
  self->request(state.of->to, caf::infinite, state.message)
      .then(
          [=](const Message&) {
            if (++self->state.answered == self->state.of->count)
              return self->state.of->done.set_value();
            ask_next(self);
          },
          [=](const caf::error& why) { self->state.of->fail(self->system().render(why)); });
}

template <class Message>
caf::behavior ask_ahead(caf::stateful_actor<asking<Message>>* self, trial* of, std::size_t window,
                        const Message& message) {
  self->state.of = of;
  self->state.message = message;
  return {[=](start_atom) {
    for (std::size_t each = 0; each != window; ++each) ask_next(self);
  }};
}

struct telling {
  trial* of = nullptr;
  std::int64_t begin = -1;  // not known yet
  std::int64_t told = 0;
};

// Sends a chunk, then goes to the back of the queue, by a message to itself; after so many, and at the end, it waits until all have
// arrived.
void tell_chunk(caf::stateful_actor<telling>* self);

void wait_for_all(caf::stateful_actor<telling>* self) {
  self->request(self->state.of->to, caf::infinite, count_atom::value)
      .then(
          [=](std::int64_t arrived, std::int64_t out_of_order) {
            auto& state = self->state;
            if (state.begin < 0) state.begin = arrived;
            if (arrived != state.begin + state.told || out_of_order != 0)
              return state.of->fail("messages were lost, or came in another order");
            if (state.told == state.of->count) return state.of->done.set_value();
            tell_chunk(self);
          },
          [=](const caf::error& why) { self->state.of->fail(self->system().render(why)); });
}

void tell_chunk(caf::stateful_actor<telling>* self) {
  auto& state = self->state;
  for (std::int64_t each = 0; each != bench::chunk && state.told != state.of->count; ++each) {
    numbered next;
    next.content[0] = static_cast<std::uint64_t>(state.begin + state.told++);
    self->send(state.of->to, next);
  }
  if (state.told == state.of->count || state.told % bench::most_on_the_way == 0)
    return wait_for_all(self);
  self->send(self, more_atom::value);
}

caf::behavior tell_in_order(caf::stateful_actor<telling>* self, trial* of) {
  self->state.of = of;
  return {[=](start_atom) { wait_for_all(self); }, [=](more_atom) { tell_chunk(self); }};
}

// `start(system, trial)` spawns who does it.
template <class Start>
double measured(const bench::request& wanted, std::int64_t most, std::int64_t first, Start start) {
  const bench::other_end other;
  config made;
  actor_system system{made};
  const auto to = system.middleman().remote_actor("127.0.0.1", other.port());
  if (!to) throw std::runtime_error(system.render(to.error()));
  bench::processor_watch processors(other);
  const double took = bench::per_operation(
      wanted,
      [&](std::int64_t count) {
        trial of{*to, count, {}};
        const actor doing = start(system, of);
        const bench::stopwatch watch;
        anon_send(doing, start_atom::value);
        of.done.get_future().get();
        const double spent = watch.nanoseconds();
        processors.done(count);
        anon_send_exit(doing, caf::exit_reason::user_shutdown);
        return spent;
      },
      most, first);
  processors.print(wanted.name, "caf");
  return took;
}

template <class Message>
double ask(const bench::request& wanted, std::size_t window, const Message& message,
           std::int64_t most, std::int64_t first) {
  return measured(wanted, most, first, [&](actor_system& system, trial& of) {
    return system.spawn(ask_ahead<Message>, &of, window, message);
  });
}

double ask_in_turn(const bench::request& wanted) { return ask(wanted, 1, small(), 1 << 16, 256); }
double ask_window(const bench::request& wanted) {
  return ask(wanted, bench::window_small, small(), 1 << 20, 2048);
}
double ask_large(const bench::request& wanted) {
  return ask(wanted, bench::window_large, std::string(bench::mebibyte, 'x'), 1 << 10, 32);
}
double tell(const bench::request& wanted) {
  return measured(wanted, 1 << 20, 2048, [&](actor_system& system, trial& of) {
    return system.spawn(tell_in_order, &of);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (bench::other_end::is_wanted(argc, argv)) return serve_others();
  return bench::main(argc, argv,
                     {{"remote-ask", "caf", 1, "ns", ask_in_turn},
                      {"remote-window", "caf", 1, "ns", ask_window},
                      {"remote-tell", "caf", 1, "ns", tell},
                      {"remote-large", "caf", 1, "ns", ask_large}});
}
