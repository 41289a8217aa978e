#pragma once

#include <troupe/runtime/body.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/testing/text_of.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe::testing {

/// What something would do for one client after the other: a state with a function `apply` for each operation, which changes the state and
/// returns the answer; a `const` one says that the operation only reads. It can be copied. Optional, to make a check faster:
///
///     bool operator==(const Model&) const;     // and hash(): what was tried in the same state is not tried again
///     using key = ...;                         // of a collection of things that do not depend on each other:
///     static key key_of(const get&);           // the thing that the operation is about; each is checked by itself
///
/// A model of what may answer in several ways has `bool accepts(op, answer)` as well: the state after that answer, or false.
template <class Operation, class Model>
concept operation_of =
    std::copyable<Model> && std::copy_constructible<Operation> &&
    requires(Model& model, const Operation& operation) { model.apply(operation); };

/// What the model answers to an operation; the result of the real thing has to be the same type, or become it.
template <class Model, class Operation>
using answer_of =
    std::decay_t<decltype(std::declval<Model&>().apply(std::declval<const Operation&>()))>;

namespace internal {

/// The state of a model whose type is forgotten.
class any_state {
 public:
  virtual ~any_state() = default;
  virtual std::unique_ptr<any_state> copy() const = 0;
  virtual bool comparable() const noexcept = 0;
  /// Pre, of this and the next: comparable.
  virtual bool same(const any_state& other) const = 0;
  virtual std::size_t hash() const = 0;
};

template <class Model>
class state_of final : public any_state {
 public:
  explicit state_of(const Model& given) : model(given) {}
  std::unique_ptr<any_state> copy() const override { return std::make_unique<state_of>(model); }
  bool comparable() const noexcept override { return std::equality_comparable<Model>; }
  bool same(const any_state& other) const override {
    if constexpr (std::equality_comparable<Model>) {
      return model == static_cast<const state_of&>(other).model;
    } else {
      return false;
    }
  }
  std::size_t hash() const override {
    if constexpr (requires { std::size_t{model.hash()}; }) {
      return model.hash();
    } else if constexpr (requires { std::size_t{std::hash<Model>()(model)}; }) {
      return std::hash<Model>()(model);
    } else {
      return 0;
    }
  }

  Model model;
};

/// An operation of a model whose type is forgotten, and what was answered to it.
class any_call {
 public:
  virtual ~any_call() = default;
  /// Changes the state as the operation does; false when the model answers something else than was seen.
  virtual bool happens(any_state& state) const = 0;
  /// The same when it is not known what was answered.
  virtual void happens_unseen(any_state& state) const = 0;
  /// It never changes the state.
  virtual bool only_reads() const noexcept = 0;
  virtual std::string text() const = 0;
  /// What was seen, or nothing when there is nothing to see.
  virtual std::string seen_text() const = 0;
  /// What the model answers.
  virtual std::string answer_text(const any_state& state) const = 0;
};

template <class Model, class Operation>
class call_of final : public any_call {
 public:
  using answer = answer_of<Model, Operation>;
  using stored = std::conditional_t<std::is_void_v<answer>, std::monostate, answer>;

  explicit call_of(Operation given) : operation(std::move(given)) {}
  static stored apply(Model& model, const Operation& operation) {
    if constexpr (std::is_void_v<answer>) {
      model.apply(operation);
      return {};
    } else {
      return model.apply(operation);
    }
  }
  static std::string answer_text(const stored& given) {
    if constexpr (std::is_void_v<answer>) {
      return {};
    } else {
      return text_of(given);
    }
  }

  bool happens(any_state& state) const override {
    Model& model = static_cast<state_of<Model>&>(state).model;
    if constexpr (requires { bool{model.accepts(operation, *seen)}; }) {
      return model.accepts(operation, *seen);
    } else {
      return apply(model, operation) == *seen;
    }
  }
  bool only_reads() const noexcept override {
    constexpr bool accepts = requires(Model& model) { model.accepts(operation, *seen); };
    return requires(const Model& model) { model.apply(operation); } &&
           (!accepts || requires(const Model& model) { model.accepts(operation, *seen); });
  }
  void happens_unseen(any_state& state) const override {
    apply(static_cast<state_of<Model>&>(state).model, operation);
  }
  std::string text() const override { return text_of(operation); }
  std::string seen_text() const override { return seen ? answer_text(*seen) : "?"; }
  std::string answer_text(const any_state& state) const override {
    Model model = static_cast<const state_of<Model>&>(state).model;
    return answer_text(apply(model, operation));
  }

  Operation operation;
  std::optional<stored> seen;
};

/// A task, a future, the future of an ask.
template <class T>
concept awaitable_by_name = requires(T& named) {
  typename T::value_type;
  named.operator co_await();
};

/// Whether g++ 12 destroys it twice as a temporary of a co_await expression; see docs/decisions/0003-coroutine-transfer.md.
template <class T>
inline constexpr bool unsafe_temporary =
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
    !std::is_trivially_destructible_v<T>;
#else
    false;
#endif

template <class Ask, class Operation>
auto ask_with(Ask& ask, const Operation& operation) {
  if constexpr (std::is_invocable_v<Ask&, const Operation&>) {
    return ask(operation);
  } else {
    return ask();
  }
}

/// What `ask(operation)` or `ask()` makes, as a coroutine: it may be one, something else to await, or the answer itself. Both are kept by who
/// awaits it.
template <class Ask, class Operation>
auto as_one_coro(Ask& ask, const Operation& operation) {
  using made = decltype(ask_with(ask, operation));
  if constexpr (troupe::internal::is_coro<made>) {
    return ask_with(ask, operation);
  } else if constexpr (troupe::internal::plain_awaitable<made>) {
    return troupe::internal::as_coro(ask_with(ask, operation));
  } else if constexpr (awaitable_by_name<made>) {
    return [](Ask& function, const Operation& argument) -> coro<typename made::value_type> {
      auto asked = ask_with(function, argument);
      co_return co_await asked;
    }(ask, operation);
  } else {
    return [](Ask& function, const Operation& argument) -> coro<made> {
      co_return ask_with(function, argument);
    }(ask, operation);
  }
}

}  // namespace internal

}  // namespace troupe::testing
