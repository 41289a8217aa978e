#pragma once

#include <troupe/runtime/visitor.hpp>

namespace troupe {

class future_base;
class task_base;

namespace internal {

/// Calls `visit` for each future, but for tasks and what is made of others, that has to end before `task` goes on: through the
/// tasks that it awaits, gathers, groups and shields. Not through what waits for the first of several (`wait`, `as_completed`), a
/// lock, a queue, or a task on another loop.
/// Threads: the task's loop.
void each_awaited_future(const task_base& task, const visitor<const future_base>& visit);

/// The other way: calls `visit` for each task that does not go on before `awaited` has ended. A shield is not seen through.
/// Threads: the loop of `awaited`.
void each_waiting_task(const future_base& awaited, const visitor<const task_base>& visit);

}  // namespace internal
}  // namespace troupe
