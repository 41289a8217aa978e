#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/run_main.hpp>

#include <errno.h>  // program_invocation_short_name

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace troupe {

namespace {

void print(const char* what) noexcept {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
}

/// Of the exception that is being handled.
int status_of_failure() noexcept {
  try {
    throw;
  } catch (const interrupted&) {
    return 128 + 2;  // SIGINT
  } catch (const cancelled&) {
    print("the main task was cancelled");
  } catch (const std::exception& error) {
    print(error.what());
  } catch (...) {
    print(describe(std::current_exception()).c_str());
  }
  return 1;
}

}  // namespace

int run_main(coro<int> body, const run_options& options, std::source_location created_at) noexcept {
  try {
    return run(std::move(body), options, created_at);
  } catch (...) {
    return status_of_failure();
  }
}

int run_main(coro<> body, const run_options& options, std::source_location created_at) noexcept {
  try {
    run(std::move(body), options, created_at);
    return 0;
  } catch (...) {
    return status_of_failure();
  }
}

}  // namespace troupe
