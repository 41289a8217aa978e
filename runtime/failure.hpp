#pragma once

#include <troupe/runtime/callable.hpp>

#include <exception>
#include <source_location>
#include <string>

namespace troupe {

/// A failure that nobody else receives: a task nobody awaited, an actor that crashed, a callback that threw.
struct failure_report {
  std::string message;              ///< what happened, naming the task or actor
  std::exception_ptr error;         ///< null when there is none
  std::source_location where = {};  ///< where the task was created; line 0 when unknown
};

/// Called on the loop where the failure was found. Must not throw.
using failure_handler = callable<void(const failure_report&)>;

/// `error` in one line: the text of a std::exception with its type, "cancelled", or the type's name.
std::string describe(const std::exception_ptr& error);

/// What handles failures unless a loop is given something else: prints the report on standard error.
void print_failure(const failure_report& report);

}  // namespace troupe
