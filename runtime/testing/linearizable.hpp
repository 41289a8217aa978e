#pragma once

#include <troupe/runtime/body.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/testing/detailed_failure.hpp>
#include <troupe/runtime/testing/recorded_calls.hpp>
#include <troupe/runtime/testing/text_of.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::testing {

struct linearizability_options {
  /// How many pairs of a state and the operations that led to it are looked at, of each key; then it is not decided.
  std::size_t most_configurations = 1'000'000;
};

/// What came of a history that is linearizable.
struct linearization {
  std::size_t operations = 0;
  std::size_t unanswered = 0;  ///< of them: nobody knows whether they took effect
  std::size_t keys = 0;        ///< 1 for a model without keys
  std::size_t configurations = 0;
};

/// No order of the operations explains what the clients saw. `what()` says which answer is the first that cannot be, the longest order
/// without it, and draws what lay around it.
class not_linearizable : public detailed_failure {
 public:
  struct details {
    std::string client;  ///< who got the answer that no order explains
    std::string operation;
    std::string seen;
    std::vector<std::string> possible;  ///< what the model answers instead, where `order` lets it
    std::string key;                    ///< text; empty for a model without keys
    /// The operations in the order in which they may have taken effect, up to that answer and without it.
    std::vector<std::string> order;
    std::string chart;
  };
  explicit not_linearizable(details given);
  const details& about() const noexcept { return details_; }

 private:
  details details_;
};

/// It would take more than `most_configurations` to say whether a history is linearizable.
struct linearizability_undecided : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A call in a history that was given temporaries which g++ 12 cannot hold in a co_await expression. Name it first:
///   auto calling = seen.call("ann", put{"x", 1}, ask);
///   co_await calling;
template <class T>
class [[nodiscard]] named_coro : public coro<T> {
 public:
  explicit named_coro(coro<T>&& made) noexcept : coro<T>(std::move(made)) {}
  auto operator co_await() & { return coro<T>::operator co_await(); }
  /// g++ 12 would destroy the temporaries twice: give it a name first.
  void operator co_await() && = delete;
};

/// What clients did to something at the same time, and what they saw; and whether that is linearizable: as if each operation had taken
/// effect at one moment between its call and its answer, one after the other (Herlihy, Wing, "Linearizability", 1990).
///
///     struct cell {                                        // the model
///       int value = 0;
///       void apply(put p) { value = p.value; }
///       int apply(get) const { return value; }
///       bool operator==(const cell&) const = default;
///     };
///     history<cell> seen;
///     auto client = [&](std::string name) -> coro<> {      // several at the same time
///       co_await seen.call(name, put{1}, [&](put p) { return store.ask(p); });
///       co_await seen.call(name, get{}, [&](get g) { return store.ask(g); });
///     };
///     ...
///     seen.check();
///
/// Events are ordered as they happen, not by a clock: on any number of loops of a simulation, and on threads. An operation without an
/// answer, such as an ask that timed out, may have taken effect, at any time since its call, or not at all: both are tried.
///
/// The names of clients are for the reader; one may have several operations under way. Copies share what is noted.
/// Threads: any, at the same time; `check` sees what has been said before it.
template <class Model>
class history {
 public:
  /// An operation that has been called. Who drops it without a word leaves open whether it took effect.
  template <class Operation>
  class [[nodiscard]] under_way {
   public:
    using answer = answer_of<Model, Operation>;
    /// Errors: `invalid_state` when its end is known already, as in the two below.
    void returned(typename internal::call_of<Model, Operation>::stored seen)
      requires(!std::is_void_v<answer>)
    {
      calls_->ends(number_, [&] { call_->seen.emplace(std::move(seen)); });
    }
    void returned()
      requires std::is_void_v<answer>
    {
      calls_->ends(number_, [&] { call_->seen.emplace(); });
    }
    /// It was refused, and certainly never happens: it is as if it had not been called.
    void did_nothing() { calls_->never_was(number_); }

   private:
    friend class history;
    under_way(std::shared_ptr<internal::recorded_calls> calls,
              internal::call_of<Model, Operation>& call, std::size_t number)
        : calls_(std::move(calls)), call_(&call), number_(number) {}
    std::shared_ptr<internal::recorded_calls> calls_;
    internal::call_of<Model, Operation>* call_;  ///< owned by `calls_`
    std::size_t number_;
  };

  explicit history(Model initial = Model())
      : initial_(std::move(initial)),
        calls_(std::make_shared<internal::recorded_calls>()),
        keys_(std::make_shared<internal::key_numbers<Model>>()) {}

  /// A client calls `operation`: to be said before anything of it can happen.
  template <operation_of<Model> Operation>
  under_way<Operation> begin(std::string client, Operation operation) {
    internal::recorded_call begun;
    if constexpr (requires { typename Model::key; }) {
      const typename Model::key key = Model::key_of(operation);
      begun.key = keys_->number_of(key);
      begun.key_text = text_of(key);
    }
    auto made = std::make_unique<internal::call_of<Model, Operation>>(std::move(operation));
    auto& call = *made;
    begun.client = std::move(client);
    begun.call = std::move(made);
    const std::size_t number = calls_->begins(std::move(begun));
    return under_way<Operation>(calls_, call, number);
  }
  /// Calls `ask(operation)`, which makes something to await, and notes what comes of it; what it throws leaves open whether it took
  /// effect. Cancel: as what is awaited.
  /// With g++ 12, what has an operation or function with a destructor is to be named before it is awaited.
  template <operation_of<Model> Operation, class Ask>
  auto call(std::string client, Operation operation, Ask ask) {
    auto made = called(std::move(client), std::move(operation), std::move(ask));
    if constexpr ((internal::unsafe_temporary<Operation> && std::is_aggregate_v<Operation>) ||
                  internal::unsafe_temporary<Ask>) {
      return named_coro<answer_of<Model, Operation>>(std::move(made));
    } else {
      return made;
    }
  }

  /// Errors: `not_linearizable`; `linearizability_undecided`.
  /// Cost: for n operations of c clients whose answers come, some n * c steps when it is linearizable and the model can be compared;
  /// exponential in what has no answer at worst. The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993),
  /// with the memory of Lowe ("Testing for linearizability", 2017), key by key (Horn, Kroening, "Faster linearizability checking via
  /// P-compositionality", 2015).
  linearization check(const linearizability_options& options = {}) const {
    return calls_->check(internal::state_of<Model>(initial_), options.most_configurations);
  }

 private:
  template <class Operation, class Ask>
  coro<answer_of<Model, Operation>> called(std::string client, Operation operation, Ask ask) {
    auto noted = begin(std::move(client), operation);
    auto asked = internal::as_one_coro(ask, std::as_const(operation));
    if constexpr (std::is_void_v<answer_of<Model, Operation>>) {
      co_await asked;
      noted.returned();
    } else {
      answer_of<Model, Operation> seen = co_await asked;
      noted.returned(seen);
      co_return seen;
    }
  }

  Model initial_;
  std::shared_ptr<internal::recorded_calls> calls_;
  std::shared_ptr<internal::key_numbers<Model>> keys_;
};

}  // namespace troupe::testing
