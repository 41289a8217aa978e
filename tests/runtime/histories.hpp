// What the tests of histories share: a variable, as two models of it.
#pragma once

#include <troupe/runtime/testing/linearizable.hpp>

#include <utility>

namespace troupe::testing::histories {

struct put {
  int value;
};
struct get {};
struct swap_if {
  int from;
  int to;
};

/// A variable that can be compared, and says what only reads.
struct cell {
  int value = 0;
  void apply(put p) { value = p.value; }
  int apply(get) const { return value; }
  bool apply(swap_if s) {
    if (value != s.from) return false;
    value = s.to;
    return true;
  }
  bool operator==(const cell&) const = default;
};

/// The same without what makes it quick to check.
struct plain_cell {
  int value = 0;
  void apply(put p) { value = p.value; }
  int apply(get) { return value; }
  bool apply(swap_if s) { return std::exchange(value, value == s.from ? s.to : value) == s.from; }
};

struct push {
  int value;
};

}  // namespace troupe::testing::histories
