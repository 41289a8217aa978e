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
  using value_type = std::conditional_t<std::is_void_v<T>, nothing, T>;

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
  /// Pre: empty.
  void set_error(std::exception_ptr error) noexcept {
    ::new (static_cast<void*>(&error_)) std::exception_ptr(std::move(error));
    state_ = state::error;
  }
  /// Pre: has_error().
  const std::exception_ptr& error() const noexcept { return error_; }

  /// Moves the value out, or throws the error. Pre: not empty.
  T take() {
    if (has_error()) std::rethrow_exception(error_);
    expects(has_value(), "a result was taken before there was one");
    if constexpr (!std::is_void_v<T>) return std::move(value_);
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

}  // namespace troupe::internal
