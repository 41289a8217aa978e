#pragma once

#include <troupe/runtime/any_task.hpp>

#include <string>

namespace troupe {

/// The tasks of the running loop as a tree of who waits for whom, with the source line at which each coroutine of each task
/// stands. A task that others wait for is shown under them; one that is in a circle of waits is shown where the circle closes.
///
///     main  (app.cpp:40)
///       at app.cpp:31 in serve(int)
///       waits for the tasks of a group
///         worker  (app.cpp:28)
///           at app.cpp:12 in fetch(std::string)
///           waits for sleep
///
/// Errors: `invalid_state` off a loop. Cost: linear in the tasks and the depth of their awaits; nothing while it is not called but
/// the noting of lines, one store for each await.
std::string format_call_graph();
/// The part of it under `root`.
std::string format_call_graph(const any_task& root);

/// Writes it to standard error: `print_call_graph()` where a program hangs.
void print_call_graph();
void print_call_graph(const any_task& root);

}  // namespace troupe
