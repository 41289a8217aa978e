#pragma once

#include <troupe/runtime/testing/oracle.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace troupe::testing::internal {

using choices = std::vector<std::uint32_t>;

/// What came of one run.
struct attempt {
  choices made;
  std::vector<choice::kind> kinds;  ///< of them
  std::vector<simulation::part> parts;
  bool ordered = false;  ///< some of them were of an order
  std::size_t steps = 0;
  std::uint64_t hash = 0;
  std::exception_ptr error;
  std::string kind;  ///< of the error, the same for those that fail alike; empty when there is none
};

inline constexpr std::string_view nothing_new_kind = "nothing new";

/// The same for failures that are alike: of one type, and with one text but for its numbers.
std::string kind_of(const std::exception_ptr& error);
/// How many are not those of the natural order.
std::size_t turns(const choices& made);
choices without_trailing_zeros(choices made);

/// Looks for choices that fail in the same way and are simpler: fewer parts, fewer choices that are not natural, a shorter run, smaller values,
/// in this order. Delta debugging: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), over the choices, and over the
/// parts as MacIver and Donaldson do ("Test-Case Reduction via Test-Case Generation: Insights from the Hypothesis Reducer", 2020).
class simplifier {
 public:
  using run = std::function<attempt(oracle&)>;

  /// `most` is how many runs it may make.
  simplifier(run again, attempt found, std::size_t most);
  attempt simplest();

 private:
  using cost = std::tuple<std::size_t, std::size_t, std::size_t, std::uint64_t>;
  using flags = std::vector<bool>;

  static cost cost_of(const attempt& run);
  bool accept(oracle& decides);
  bool fails(choices tried);
  bool fails_without(const flags& left_out, std::uint64_t orders);
  void cut_off();
  void drop_parts();
  void drop_two_parts();
  void insist_on_dropping();
  void drop();
  void make_natural();
  void make_smaller();
  void make_values_smaller();
  void make_equal_values_smaller();
  void depart_anew();

  run again_;
  attempt best_;
  std::size_t left_;
};

}  // namespace troupe::testing::internal
