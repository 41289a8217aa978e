#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/runtime.hpp>

#include <source_location>

namespace troupe {

/// `run` for the `main` of a program: what `body` returns is the exit status, and a failure becomes one.
///
///     int main() { return troupe::run_main(amain()); }
///
/// What `body` throws is printed on standard error, after the name of the program, and gives 1. An interrupt gives 130, as shells have it,
/// and prints nothing. (An exception that leaves `main` aborts instead, with nothing cleaned up.)
/// Let `body` make what can fail of the command line: what throws while `amain(...)` is written is thrown in `main`.
/// Errors: none but a broken `options`, which is printed too.
int run_main(coro<int> body, const run_options& options = {},
             std::source_location created_at = std::source_location::current()) noexcept;
/// The same for one without a result, whose end gives 0.
int run_main(coro<> body, const run_options& options = {},
             std::source_location created_at = std::source_location::current()) noexcept;

}  // namespace troupe
