#include <troupe/runtime/exception_group.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct connection_lost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class E>
std::exception_ptr make(const std::string& text) {
  return std::make_exception_ptr(E(text));
}

std::exception_ptr group_of(std::vector<std::exception_ptr> errors) {
  return std::make_exception_ptr(exception_group("inner", std::move(errors)));
}

/// The texts of all errors, at whatever depth.
journal texts(const exception_group& group) {
  journal found;
  group.for_each([&](const std::exception_ptr& each) {
    try {
      std::rethrow_exception(each);
    } catch (const std::exception& error) {
      found.push_back(error.what());
    } catch (...) {
      found.push_back("something else");
    }
  });
  return found;
}

}  // namespace

TEST_CASE("a group tells what it is made of") {
  const exception_group group("two failures",
                              {make<std::runtime_error>("a"), make<std::logic_error>("b")});
  CHECK(group.message() == "two failures");
  CHECK(group.size() == 2);
  CHECK_FALSE(group.empty());
  const std::string text = group.what();
  CHECK(text.find("two failures (2 errors") != std::string::npos);
  CHECK(text.find(": a") != std::string::npos);
  CHECK(text.find(": b") != std::string::npos);
}

TEST_CASE("a group of nothing, or of a null, is an error") {
  CHECK_THROWS_AS(exception_group("none", {}), std::invalid_argument);
  CHECK_THROWS_AS(exception_group("null", {make<std::runtime_error>("a"), nullptr}),
                  std::invalid_argument);
}

TEST_CASE("a group is split by the type of its errors") {
  const exception_group group(
      "all", {make<connection_lost>("a"), make<std::logic_error>("b"), make<connection_lost>("c")});
  const auto [lost, rest] = group.split<connection_lost>();
  CHECK(texts(lost) == journal{"a", "c"});
  CHECK(texts(rest) == journal{"b"});
  CHECK(lost.message() == "all");
}

TEST_CASE("a split that finds nothing leaves one side empty") {
  const exception_group group("all", {make<std::logic_error>("a")});
  const auto [lost, rest] = group.split<connection_lost>();
  CHECK(lost.empty());
  CHECK(texts(rest) == journal{"a"});
  CHECK_FALSE(group.contains<connection_lost>());
  CHECK(group.split<std::logic_error>().rest.empty());
}

TEST_CASE("a split keeps the nesting") {
  const exception_group group(
      "outer", {group_of({make<connection_lost>("a"), make<std::logic_error>("b")}),
                group_of({make<std::logic_error>("c")}), make<connection_lost>("d")});
  const auto [lost, rest] = group.split<connection_lost>();
  CHECK(texts(lost) == journal{"a", "d"});
  REQUIRE(lost.size() == 2);
  CHECK_THROWS_AS(std::rethrow_exception(lost.exceptions()[0]), exception_group);
  CHECK_THROWS_AS(std::rethrow_exception(lost.exceptions()[1]), connection_lost);
  CHECK(texts(rest) == journal{"b", "c"});
  CHECK(rest.size() == 2);
}

TEST_CASE("a base class finds the errors of its derived classes, and no others") {
  const exception_group group(
      "outer", {group_of({make<connection_lost>("a"), make<std::logic_error>("b")})});
  CHECK(texts(group.subgroup<std::exception>()) == journal{"a", "b"});
  CHECK(texts(group.subgroup<std::runtime_error>()) == journal{"a"});
  CHECK_FALSE(group.contains<std::domain_error>());
}

TEST_CASE("a group is not itself one of the runtime errors that are looked for in it") {
  const exception_group group("outer", {group_of({make<std::logic_error>("a")})});
  CHECK_FALSE(group.contains<std::runtime_error>());
}

TEST_CASE("a group is split by a function of the error") {
  const exception_group group("all", {make<std::logic_error>("a"), make<std::logic_error>("b")});
  const auto parts = group.split([](const std::exception_ptr& each) {
    try {
      std::rethrow_exception(each);
    } catch (const std::exception& error) {
      return std::string(error.what()) == "b";
    }
  });
  CHECK(texts(parts.matching) == journal{"b"});
  CHECK(texts(parts.rest) == journal{"a"});
}

TEST_CASE("a group holds what is no std::exception") {
  const exception_group group("all", {std::make_exception_ptr(5), make<std::logic_error>("a")});
  CHECK(texts(group) == journal{"something else", "a"});
  CHECK(group.contains<int>());
  CHECK(group.subgroup<int>().size() == 1);
}

TEST_CASE("what is left of a group can be thrown on") {
  const exception_group group("all", {make<connection_lost>("a"), make<std::logic_error>("b")});
  try {
    throw group.split<connection_lost>().rest;
  } catch (const std::exception& error) {
    CHECK(std::string(error.what()).find("b") != std::string::npos);
    CHECK(std::string(error.what()).find("1 error:") != std::string::npos);
  }
}

TEST_CASE("copies of a group share their errors") {
  const exception_group group("all", {make<std::logic_error>("a")});
  const exception_group copy = group;
  CHECK(copy.exceptions() == group.exceptions());
}
