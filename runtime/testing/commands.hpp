#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/testing/detailed_failure.hpp>
#include <troupe/runtime/testing/draw.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/testing/linearizable.hpp>
#include <troupe/runtime/testing/sequential_model.hpp>
#include <troupe/runtime/testing/text_of.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::testing {

/// What came of a model test in which nothing failed.
struct model_test_result {
  exploration runs;
  std::uint64_t commands = 0;  ///< that were run, in all
  std::uint64_t refused = 0;   ///< that were drawn where the model does not allow them, and not run
};

/// What went wrong in a run of a model test, with the list of its commands; in a `schedule_failed`.
class commands_failed : public detailed_failure {
 public:
  commands_failed(std::string kind, const std::string& text, std::vector<std::string> commands,
                  std::exception_ptr cause)
      : detailed_failure(std::move(kind), text),
        commands_(std::move(commands)),
        cause_(std::move(cause)) {}
  /// Those that were begun, with their answers.
  const std::vector<std::string>& commands() const noexcept { return commands_; }
  const std::exception_ptr& cause() const noexcept { return cause_; }

 private:
  std::vector<std::string> commands_;
  std::exception_ptr cause_;
};

/// Thrown by a command of the real thing that got no answer: nobody knows whether it took effect, or will. For `check_parallel`.
struct no_answer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace internal {

struct command_line {
  std::string branch;
  std::string text;  ///< with its answer, once there is one
};

/// The commands of a run, as they are begun.
class command_log {
 public:
  /// It stays where it is.
  command_line& add(std::string branch, std::string text) {
    lines_.push_back({std::move(branch), std::move(text)});
    return lines_.back();
  }
  /// Calls `run`. Errors: `commands_failed` for what it throws, but for `nothing_new`.
  void run(const std::function<void()>& run) const;

 private:
  [[noreturn]] void fail(const std::exception_ptr& cause) const;
  std::deque<command_line> lines_;
};

/// What the text of a wrong answer says.
[[noreturn]] void throw_wrong_answer(const std::string& kind, const std::string& command,
                                     const std::string& seen, const std::string& expected);

/// A command whose type is forgotten.
template <class Model, class Real>
class any_command {
 public:
  virtual ~any_command() = default;
  virtual std::string text() const = 0;
  /// Whether there are states in which it is not allowed.
  virtual bool conditional() const noexcept = 0;
  virtual bool allowed(const Model& model) const = 0;
  virtual void pretend(Model& model) const = 0;
  /// Does it in both, and compares the answers.
  virtual coro<> run(Real& real, Model& model, command_line& told) const = 0;
  virtual coro<> run_noted(Real& real, history<Model>& seen, std::string client,
                           command_line& told) const = 0;
};

template <class Model, class Real, class Operation>
class command_of final : public any_command<Model, Real> {
  static_assert(operation_of<Operation, Model>, "the model has no apply() for this command");
  static_assert(
      requires(Real& real, const Operation& operation) { real.run(operation); },
      "the real thing has no run() for this command");
  using call = call_of<Model, Operation>;
  using answer = typename call::answer;
  using stored = typename call::stored;

 public:
  explicit command_of(Operation given) : operation_(std::move(given)) {}

  std::string text() const override { return text_of(operation_); }
  bool conditional() const noexcept override {
    return requires(const Model& model) { bool{model.allows(operation_)}; };
  }
  bool allowed(const Model& model) const override {
    if constexpr (requires { bool{model.allows(operation_)}; }) {
      return model.allows(operation_);
    } else {
      return true;
    }
  }
  void pretend(Model& model) const override { call::apply(model, operation_); }

  coro<> run(Real& real, Model& model, command_line& told) const override {
    auto asking = ask(real, told);
    const stored seen = co_await asking;
    if constexpr (requires { bool{model.accepts(operation_, seen)}; }) {
      if (!model.accepts(operation_, seen)) wrong(told, seen, "that this cannot be");
    } else {
      const stored expected = call::apply(model, operation_);
      if (!(expected == seen)) wrong(told, seen, call::answer_text(expected));
    }
  }
  coro<> run_noted(Real& real, history<Model>& seen, std::string client,
                   command_line& told) const override {
    auto noted = seen.begin(std::move(client), operation_);
    auto asking = ask(real, told);
    try {
      stored given = co_await asking;
      if constexpr (std::is_void_v<answer>) {
        noted.returned();
      } else {
        noted.returned(std::move(given));
      }
    } catch (const no_answer&) {
      told.text += " ...";
    }
  }

 private:
  coro<stored> ask(Real& real, command_line& told) const {
    const auto function = [&real](const Operation& operation) { return real.run(operation); };
    auto asked = as_one_coro(function, operation_);
    if constexpr (std::is_void_v<answer>) {
      co_await asked;
      co_return stored();
    } else {
      stored given = co_await asked;
      told.text += " = " + call::answer_text(given);
      co_return given;
    }
  }
  void wrong(command_line& told, const stored& seen, const std::string& expected) const {
    told.text += ", and the model says " + expected;
    throw_wrong_answer(short_name<Operation>(), text(), call::answer_text(seen), expected);
  }

  Operation operation_;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class Model, class Real>
using generator =
    std::function<std::unique_ptr<any_command<Model, Real>>(draw& from, const Model& model)>;

template <class Model, class Real, class Generate>
generator<Model, Real> generator_of(Generate generate) {
  return [generate](draw& from,
                    const Model& model) mutable -> std::unique_ptr<any_command<Model, Real>> {
    const auto made = [&] {
      if constexpr (std::is_invocable_v<Generate&, draw&, const Model&>) {
        return generate(from, model);
      } else if constexpr (std::is_invocable_v<Generate&, draw&>) {
        return generate(from);
      } else {
        return generate();
      }
    }();
    using result = std::remove_const_t<decltype(made)>;
    if constexpr (is_optional<result>) {
      if (!made) return nullptr;
      return std::make_unique<command_of<Model, Real, typename result::value_type>>(*made);
    } else {
      return std::make_unique<command_of<Model, Real, result>>(made);
    }
  };
}

inline coro<> nothing() { co_return; }

template <class Real>
coro<> start(Real& real) {
  if constexpr (requires { real.start(); }) {
    if constexpr (std::is_void_v<decltype(real.start())>) {
      real.start();
    } else {
      return real.start();
    }
  }
  return nothing();
}
template <class Real>
coro<> stop(Real& real) {
  if constexpr (requires { real.stop(); }) {
    if constexpr (std::is_void_v<decltype(real.stop())>) {
      real.stop();
    } else {
      return real.stop();
    }
  }
  return nothing();
}
template <class Real, class Model>
coro<> check_against(Real& real, const Model& model) {
  if constexpr (requires { real.check(model); }) {
    if constexpr (std::is_void_v<decltype(real.check(model))>) {
      real.check(model);
    } else {
      return real.check(model);
    }
  }
  return nothing();
}

}  // namespace internal

}  // namespace troupe::testing
