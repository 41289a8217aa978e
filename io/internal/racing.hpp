#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/cancel_scope.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Trying several addresses, of which one is enough. It knows no sockets: what an attempt does is the caller's, or a test's.

namespace troupe::io::internal {

/// The same addresses, families in turn, beginning with that of the first; within a family the order stays.
std::vector<endpoint> families_in_turn(const std::vector<endpoint>& all);

/// Throws for attempts that have all failed: the only error, or the first with a text of all. `what` was attempted.
[[noreturn]] void throw_all_failed(const std::string& what, const std::vector<endpoint>& candidates,
                                   const std::vector<std::exception_ptr>& errors);

struct race_options {
  duration delay =
      std::chrono::milliseconds(250);  ///< before the next is tried beside those that go on
  std::size_t at_once = 16;            ///< attempts; further ones wait until one has failed
};

template <class T>
struct race_state {
  std::optional<T> winner;
  std::vector<std::exception_ptr> errors;  ///< of each candidate
  std::size_t running = 0;
  event ended;  ///< an attempt has, since one was last begun
};

template <class T, class Connect>
coro<> attempt_one(race_state<T>& race, Connect& connect, endpoint to, std::size_t index) {
  try {
    T made = co_await connect(to);
    // Two may be connected in the same round; the other is closed.
    if (!race.winner) race.winner.emplace(std::move(made));
  } catch (const std::exception&) {
    race.errors[index] = std::current_exception();
  } catch (...) {  // cancelled, by whomever
    --race.running;
    race.ended.set();
    throw;
  }
  --race.running;
  race.ended.set();
}

template <class T, class Connect>
coro<> attempt_all(race_state<T>& race, task_group& group, const std::vector<endpoint>& candidates,
                   Connect& connect, race_options options) {
  std::vector<task<>> attempts;
  for (std::size_t next = 0; next < candidates.size() && !race.winner; ++next) {
    race.ended.clear();
    ++race.running;
    attempts.push_back(group.create_task(attempt_one(race, connect, candidates[next], next)));
    const bool last = next + 1 == candidates.size();
    if (!last)
      co_await move_on_after(race.running < options.at_once ? options.delay : infinite,
                             race.ended.wait());
  }
  while (!race.winner && race.running != 0) {
    race.ended.clear();
    co_await race.ended.wait();
  }
  for (const task<>& each : attempts) each.cancel();
}

/// Gives what the first of the attempts `connect(candidate)` gives that succeeds; the others are cancelled and have ended then.
/// Errors: as of `throw_all_failed`. Cancel: cancels all attempts and waits for their end.
/// Pre: there is a candidate.
template <class T, class Connect>
coro<T> first_connected(std::string what, std::vector<endpoint> candidates, Connect connect,
                        race_options options) {
  race_state<T> race;
  race.errors.resize(candidates.size());
  task_group group;
  auto all = attempt_all(race, group, candidates, connect, options);
  auto running = group.run(std::move(all));
  co_await running;
  if (!race.winner) throw_all_failed(what, candidates, race.errors);
  co_return std::move(*race.winner);
}

}  // namespace troupe::io::internal
