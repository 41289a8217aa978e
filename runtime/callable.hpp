#pragma once

#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/ref_count.hpp>

#include <type_traits>
#include <utility>

namespace troupe {

template <class Signature>
class callable;

/// A function kept for later, of any type that can be called so; copies share it. What std::function does, in the part of it
/// that the headers need: <functional> alone took a fifth of the time to compile a small program.
///
/// Threads: copies may be used on different threads, one at a time.
template <class R, class... Args>
class callable<R(Args...)> {
 public:
  callable() noexcept = default;
  template <class Function>
    requires(!std::is_same_v<std::remove_cvref_t<Function>, callable> &&
             std::is_invocable_r_v<R, std::decay_t<Function>&, Args...>)
  callable(Function&& function)  // NOLINT(*-explicit-*): as std::function
      : held_(new holder<std::decay_t<Function>>(std::forward<Function>(function))) {}
  callable(const callable& other) noexcept : held_(other.held_) {
    if (held_ != nullptr) held_->count.add();
  }
  callable(callable&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  callable& operator=(callable other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~callable() {
    if (held_ != nullptr && held_->count.drop()) delete held_;
  }

  explicit operator bool() const noexcept { return held_ != nullptr; }
  /// Whether both are copies of one, or both empty.
  friend bool operator==(const callable& a, const callable& b) noexcept {
    return a.held_ == b.held_;
  }
  /// Pre: not empty.
  R operator()(Args... args) const { return held_->call(std::forward<Args>(args)...); }

 private:
  struct base {
    virtual ~base() = default;
    virtual R call(Args... args) = 0;
    internal::ref_count count{1};
  };
  template <class Function>
  struct holder final : base, internal::pooled {
    static_assert(
        alignof(Function) <= internal::pool_granule,
        "a function that needs more than 16-byte alignment: keep what needs it behind a pointer");
    template <class Given>
    explicit holder(Given&& given) : function(std::forward<Given>(given)) {}
    R call(Args... args) override { return function(std::forward<Args>(args)...); }
    Function function;
  };

  base* held_ = nullptr;
};

}  // namespace troupe
