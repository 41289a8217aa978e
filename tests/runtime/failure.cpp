#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/failure.hpp>

#include "support/catch.hpp"

#include <stdexcept>
#include <string>

using namespace troupe;

TEST_CASE("a standard exception is described by its type and text") {
  const auto error = std::make_exception_ptr(std::runtime_error("no such account"));
  CHECK(describe(error) == "std::runtime_error: no such account");
}

TEST_CASE("an exception is described by its own type, not that of its base") {
  const auto error = std::make_exception_ptr(broken_promise("gone"));
  CHECK(describe(error) == "troupe::broken_promise: gone");
}

TEST_CASE("a cancellation is described as one") {
  CHECK(describe(std::make_exception_ptr(cancelled{})) == "cancelled");
}

TEST_CASE("an object that is no exception class is described by its type") {
  CHECK(describe(std::make_exception_ptr(42)) == "an object of type int");
}

TEST_CASE("no error is described as none") { CHECK(describe(nullptr) == "no error"); }
