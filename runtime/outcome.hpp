#pragma once

#include <troupe/runtime/check.hpp>

#include <exception>
#include <memory>
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
    std::construct_at(&value_, std::forward<Args>(args)...);
    state_ = state::value;
  }
  /// Pre: empty.
  void set_error(std::exception_ptr error) noexcept {
    std::construct_at(&error_, std::move(error));
    state_ = state::error;
  }
  /// Pre: has_error().
  const std::exception_ptr& error() const noexcept { return error_; }

  /// Moves the value out, or throws the error. Pre: not empty.
  T take() {
    if (has_error()) std::rethrow_exception(std::move(error_));
    expects(has_value(), "a result was taken before there was one");
    if constexpr (!std::is_void_v<T>) return std::move(value_);
  }
  /// The value in place, or throws the error. Pre: not empty.
  value_type& get() {
    if (has_error()) std::rethrow_exception(error_);
    expects(has_value(), "a result was read before there was one");
    return value_;
  }

  /// Moves what `other` holds here. Pre: empty.
  void take_from(outcome& other) {
    if (other.has_error()) {
      set_error(std::move(other.error_));
    } else if (other.has_value()) {
      set_value(std::move(other.value_));
    }
    other.clear();
  }

  void clear() noexcept {
    if (state_ == state::value) std::destroy_at(&value_);
    if (state_ == state::error) std::destroy_at(&error_);
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
