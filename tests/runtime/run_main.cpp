#include <troupe/runtime/run_main.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Standard error as long as this lives.
class printed_errors {
 public:
  printed_errors() : file_(std::tmpfile()), before_(::dup(STDERR_FILENO)) {
    REQUIRE(file_ != nullptr);
    REQUIRE(::dup2(::fileno(file_), STDERR_FILENO) >= 0);
  }
  ~printed_errors() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    std::fclose(file_);
  }
  printed_errors(const printed_errors&) = delete;
  printed_errors& operator=(const printed_errors&) = delete;

  std::string text() const {
    std::string all(4096, '\0');
    const ssize_t got = ::pread(::fileno(file_), all.data(), all.size(), 0);
    all.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return all;
  }

 private:
  std::FILE* file_;
  int before_;
};

/// What `run_main` of it gives and prints.
template <class T>
std::string outcome_of(coro<T> body, const run_options& options = {}) {
  const printed_errors errors;
  const int status = run_main(std::move(body), options);
  return std::to_string(status) + ": " + errors.text();
}

}  // namespace

TEST_CASE("run_main returns what the main coroutine returns") {
  auto body = []() -> coro<int> { co_return 7; };
  CHECK(outcome_of(body()) == "7: ");
}

TEST_CASE("run_main of a coroutine without a result returns 0") {
  auto body = []() -> coro<> { co_return; };
  CHECK(outcome_of(body()) == "0: ");
}

TEST_CASE("run_main prints a failure after the name of the program, and returns 1") {
  auto body = []() -> coro<int> {
    co_await sleep(0s);
    throw std::runtime_error("no such port");
  };
  CHECK(outcome_of(body()) == "1: test-runtime: no such port\n");
  auto without = []() -> coro<> {
    co_await sleep(0s);
    throw std::runtime_error("no such port");
  };
  CHECK(outcome_of(without()) == "1: test-runtime: no such port\n");
}

TEST_CASE("run_main says what was thrown that is no std::exception") {
  auto body = []() -> coro<int> {
    co_await sleep(0s);
    throw 3;
  };
  CHECK(outcome_of(body()) == "1: test-runtime: an object of type int\n");
}

TEST_CASE("run_main returns 1 when the main task was cancelled by somebody else") {
  auto body = []() -> coro<int> {
    co_await sleep(0s);
    throw cancelled();
  };
  CHECK(outcome_of(body()) == "1: test-runtime: the main task was cancelled\n");
}

TEST_CASE("run_main returns 130 when it was interrupted, and says nothing") {
  auto body = []() -> coro<int> {
    loop::current()->call_soon([] { std::raise(SIGINT); });
    co_await sleep(infinite);
    co_return 0;
  };
  CHECK(outcome_of(body()) == "130: ");
}

TEST_CASE("run_main prints what is wrong with its options") {
  auto body = []() -> coro<int> { co_return 0; };
  run_options options;
  options.threads = 0;
  const std::string said = outcome_of(body(), options);
  CHECK(said.starts_with("1: test-runtime: "));
}
