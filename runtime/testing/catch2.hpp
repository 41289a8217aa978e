#pragma once

// Test cases of Catch2, 2.13 or 3, that are explored. Link your tests with troupe::testing, and with Catch2 as ever.

#include <troupe/runtime/testing/explore.hpp>

// Catch2 2.13 shows listeners only to those who define this before they include it.
#if defined(TWOBLUECUBES_SINGLE_INCLUDE_CATCH_HPP_INCLUDED) && \
    !defined(CATCH_CONFIG_EXTERNAL_INTERFACES)
#error "Include <troupe/runtime/testing/catch2.hpp> before <catch2/catch.hpp>."
#endif
#ifndef CATCH_CONFIG_EXTERNAL_INTERFACES
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#endif
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe::testing::catch2 {

/// How many assertions have failed so far, in whatever thread.
inline std::size_t failed_assertions = 0;

namespace internal {

#if CATCH_VERSION_MAJOR >= 3
class listener final : public Catch::EventListenerBase {
 public:
  using EventListenerBase::EventListenerBase;
  void assertionEnded(const Catch::AssertionStats& stats) override {
    if (!stats.assertionResult.isOk()) ++failed_assertions;
  }
};
#else
class listener final : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;
  bool assertionEnded(const Catch::AssertionStats& stats) override {
    if (!stats.assertionResult.isOk()) ++failed_assertions;
    return false;
  }
};
#endif

/// Catch2's registrar has had three constructors.
template <class Registrar>
struct registered {
  static Registrar make() {
    if constexpr (std::is_default_constructible_v<Registrar>) {
      return Registrar();
    } else if constexpr (std::is_constructible_v<Registrar, Catch::SourceLineInfo>) {
      return Registrar(CATCH_INTERNAL_LINEINFO);
    } else {
      return Registrar("troupe");
    }
  }
};
inline const Catch::ListenerRegistrar<listener> listening =
    registered<Catch::ListenerRegistrar<listener>>::make();

}  // namespace internal

/// `explore` for scenarios with assertions of Catch2. One that fails ends the exploration with that run, as it is: what Catch2 has said is not said
/// again for each simpler one. Whatever else fails is simplified.
template <class Scenario>
exploration explore(const explore_options& options, Scenario scenario) {
  return testing::explore(
      options, [run = testing::internal::as_scenario(std::move(scenario))](simulation& world) {
        const std::size_t before = failed_assertions;
        const auto look = [before] {
          if (failed_assertions != before) throw reported_failure("an assertion failed; see above");
        };
        try {
          run(world);
        } catch (...) {
          look();  // one that threw is no exception to be shown
          throw;
        }
        look();
      });
}

}  // namespace troupe::testing::catch2

#define TROUPE_TEST_JOINED_(A, B) A##B
#define TROUPE_TEST_JOINED(A, B) TROUPE_TEST_JOINED_(A, B)
#define TROUPE_TEST_FUNCTION TROUPE_TEST_JOINED(troupe_test_of_line_, __LINE__)

/// A test case whose body is a coroutine, run under the natural order of events and 99 others:
///
///     TROUPE_TEST_CASE("a deposit is answered", "[bank]") {
///       auto bank = troupe::spawn<account>();
///       const int cents = co_await bank.ask(deposit{5});
///       CHECK(cents == 5);
///     }
///
/// An assertion that fails in one of them ends the test, with the seed of that run; it is said twice, as found, and once more for what is shown of the run.
/// REQUIRE throws through the coroutine. SECTION and GENERATE begin a test case anew, and do not go inside of one that is explored. The body has an await or a
/// `co_return`. Code shared by the runs is outside of it, and begins the same for each.
/// TROUPE_TEST_CASE_WITH((troupe::testing::explore_options{...}), name, tags) takes options, in parentheses.
#define TROUPE_TEST_CASE_WITH(OPTIONS, ...)                                                      \
  static ::troupe::coro<> TROUPE_TEST_FUNCTION();                                                \
  TEST_CASE(__VA_ARGS__) { ::troupe::testing::catch2::explore(OPTIONS, &TROUPE_TEST_FUNCTION); } \
  static ::troupe::coro<> TROUPE_TEST_FUNCTION()
#define TROUPE_TEST_CASE(...) \
  TROUPE_TEST_CASE_WITH((::troupe::testing::explore_options{.schedules = 100}), __VA_ARGS__)

/// The same of a plain body, which calls `troupe::run` itself, or `testing::run`, once or several times.
#define TROUPE_PROGRAM_TEST_CASE(...)                                                        \
  static void TROUPE_TEST_FUNCTION();                                                        \
  TEST_CASE(__VA_ARGS__) {                                                                   \
    ::troupe::testing::catch2::explore(::troupe::testing::explore_options{.schedules = 100}, \
                                       &TROUPE_TEST_FUNCTION);                               \
  }                                                                                          \
  static void TROUPE_TEST_FUNCTION()
