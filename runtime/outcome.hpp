#pragma once

#include <troupe/runtime/check.hpp>

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace troupe::internal {

/// What `void` is stored as.
struct nothing {};

/// The result of something that ends once: still empty, a value, or an error.
template <class T>
class outcome {
 public:
  using value_type = T;

  static_assert(!std::is_void_v<T>);

  outcome() noexcept : empty_{} {}
  outcome(const outcome&) = delete;
  outcome& operator=(const outcome&) = delete;
  ~outcome() { clear(); }

  bool has_value() const noexcept { return state_ == state::value; }
  bool has_error() const noexcept { return state_ == state::error; }
  bool empty() const noexcept { return state_ == state::empty; }

  /// Pre: empty.
  template <class... Args>
  void set_value(Args&&... args) {
    ::new (static_cast<void*>(&value_)) value_type(std::forward<Args>(args)...);
    state_ = state::value;
  }
  /// Takes what `function()` gives or throws. Pre: empty.
  template <class Function>
  void set_from(Function&& function) noexcept {
    try {
      set_value(function());
    } catch (...) {
      set_error(std::current_exception());
    }
  }
  /// Pre: empty.
  void set_error(std::exception_ptr error) noexcept {
    ::new (static_cast<void*>(&error_)) std::exception_ptr(std::move(error));
    state_ = state::error;
  }
  /// Pre: has_error().
  const std::exception_ptr& error() const noexcept { return error_; }
  /// The error, or null.
  std::exception_ptr failure() const noexcept { return has_error() ? error_ : nullptr; }

  /// Moves the value out, or throws the error. Pre: not empty.
  T take() {
    if (has_error()) std::rethrow_exception(error_);
    expects(has_value(), "a result was taken before there was one");
    return std::move(value_);
  }
  /// The value in place, or throws the error. Pre: not empty.
  value_type& get() {
    if (has_error()) std::rethrow_exception(error_);
    expects(has_value(), "a result was read before there was one");
    return value_;
  }

  /// Moves what `other` holds here; a value that throws when it is moved becomes that error. Pre: empty.
  void take_from(outcome& other) noexcept {
    if (other.has_error()) {
      set_error(std::move(other.error_));
    } else if (other.has_value()) {
      if constexpr (std::is_nothrow_move_constructible_v<value_type>) {
        set_value(std::move(other.value_));
      } else {
        try {
          set_value(std::move(other.value_));
        } catch (...) {
          set_error(std::current_exception());
        }
      }
    }
    other.clear();
  }

  void clear() noexcept {
    if (state_ == state::value) value_.~value_type();
    if (state_ == state::error) error_.~exception_ptr();
    state_ = state::empty;
  }

 private:
  enum class state : unsigned char { empty, value, error };

  union {
    nothing empty_;
    value_type value_;
    std::exception_ptr error_;
  };
  state state_ = state::empty;
};

/// Without a value there is only the error, or none; whether there is a result yet its owner knows.
template <>
class outcome<void> {
 public:
  using value_type = nothing;

  bool has_value() const noexcept { return !error_; }
  bool has_error() const noexcept { return static_cast<bool>(error_); }

  void set_value() noexcept {}
  template <class Function>
  void set_from(Function&& function) noexcept {
    try {
      function();
    } catch (...) {
      set_error(std::current_exception());
    }
  }
  void set_error(std::exception_ptr error) noexcept { error_ = std::move(error); }
  const std::exception_ptr& error() const noexcept { return error_; }
  std::exception_ptr failure() const noexcept { return error_; }

  void take() const { static_cast<void>(get()); }
  value_type& get() const {
    if (error_) std::rethrow_exception(error_);
    static constinit nothing value;
    return value;
  }
  void take_from(outcome& other) noexcept { error_ = std::exchange(other.error_, nullptr); }
  void clear() noexcept { error_ = nullptr; }

 private:
  std::exception_ptr error_;
};

}  // namespace troupe::internal
