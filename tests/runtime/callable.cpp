#include <troupe/runtime/callable.hpp>

#include "support/catch.hpp"

#include <memory>
#include <utility>

using troupe::callable;

TEST_CASE("a callable calls what it was given and returns its result") {
  const callable<int(int)> twice = [](int value) { return 2 * value; };
  CHECK(twice(21) == 42);
}

TEST_CASE("copies of a callable share what they call") {
  callable<int()> counting = [count = 0]() mutable { return ++count; };
  const callable<int()> copy = counting;
  counting();
  CHECK(copy() == 2);
}

TEST_CASE("the last copy of a callable destroys what it calls") {
  auto held = std::make_shared<int>(1);
  {
    callable<void()> first = [held] {};
    callable<void()> second = first;
    first = {};
    CHECK(held.use_count() == 2);
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("a callable of nothing is false") {
  callable<void()> nothing;
  CHECK_FALSE(nothing);
  nothing = [] {};
  CHECK(nothing);
}
