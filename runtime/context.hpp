#pragma once

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/ref_count.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace troupe {

class task_base;

namespace internal {

/// A value of a context variable, shared by all contexts that have it.
struct context_value {
  virtual ~context_value() = default;
  ref_count count{1};
};

/// What all context variables of a program are set to, at one point of it; never changed once made, so that a task takes its
/// creator's context by a count. The values are in an array behind it. Null stands for the context in which nothing is set.
class context_data {
 public:
  static void retain(context_data* held) noexcept {
    if (held != nullptr) held->count_.add();
  }
  static void release(context_data* held) noexcept {
    if (held != nullptr && held->count_.drop()) destroy(held);
  }

  /// The value of the variable that `key` stands for, or null.
  static context_value* find(const context_data* in, const void* key) noexcept;
  /// A copy of `old`, which may be null, where `key` has `value`, whose count it takes over; null `value` takes it out. Null when nothing
  /// is set in it.
  /// Cost: linear in the number of variables that are set.
  static context_data* with(const context_data* old, const void* key, context_value* value);

 private:
  struct entry {
    const void* key;
    context_value* value;
  };
  static void destroy(context_data* ended) noexcept;

  ref_count count_{1};
  std::size_t size_ = 0;
  entry* entries_ = nullptr;
};

/// Where the context of what runs on this thread is kept: the current task's, or the thread's own. Holds one count.
context_data*& current_context() noexcept;
/// Where that of a task is kept, which need not run. Threads: the task's.
context_data*& context_of(task_base& task) noexcept;

}  // namespace internal

/// All context variables as they are at one moment; see `context_var`. A copy is a count.
/// Threads: may be handed to another thread.
class context {
 public:
  /// The one in which no variable is set.
  context() noexcept = default;
  context(const context& other) noexcept : data_(other.data_) {
    internal::context_data::retain(data_);
  }
  context(context&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  context& operator=(context other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~context() { internal::context_data::release(data_); }

  /// The one of the running task, callback or thread.
  static context current() noexcept {
    context result;
    result.data_ = internal::current_context();
    internal::context_data::retain(result.data_);
    return result;
  }

  /// Calls `function` in this context; what it sets is seen afterwards by those who run in this context object.
  /// Errors: `invalid_state` when something runs in this object already.
  template <class Function>
  decltype(auto) run(Function&& function) {
    if (entered_)
      throw invalid_state("a context was entered that something runs in already: copy it");
    const entered guard(*this);
    return std::forward<Function>(function)();
  }

 private:
  struct entered {
    explicit entered(context& given) noexcept : mine(given) { swap(); }
    ~entered() { swap(); }
    entered(const entered&) = delete;
    entered& operator=(const entered&) = delete;
    void swap() noexcept {
      mine.entered_ = !mine.entered_;
      std::swap(internal::current_context(), mine.data_);
    }
    context& mine;
  };

  internal::context_data* data_ = nullptr;
  bool entered_ = false;
};

/// A variable of which every task has its own value, inherited from whoever created the task, like asyncio's ContextVar: the
/// identity of the request at hand, for the log of a function far below. A task, callback or thread job starts with a copy of
/// its creator's values; what it sets afterwards nobody else sees.
///
/// Life: usually static; its address is its identity, and values set in living contexts must not outlive it.
/// Threads: any; a value may be read by several threads at once when tasks on several loops inherited it.
template <class T>
class context_var {
 public:
  /// What `set` returns, for `reset`.
  class token {
   public:
    token(token&& other) noexcept
        : variable_(other.variable_), before_(std::exchange(other.before_, nullptr)) {}
    token& operator=(token&&) = delete;
    ~token() {
      if (before_ != nullptr && before_->count.drop()) delete before_;
    }

   private:
    friend class context_var;
    token(const context_var& variable, internal::context_value* before) noexcept
        : variable_(&variable), before_(before) {
      if (before_ != nullptr) before_->count.add();
    }
    const context_var* variable_;
    internal::context_value* before_;
  };

  /// A variable without a default.
  context_var() noexcept = default;
  explicit context_var(T initial) : default_(new holder(std::move(initial))) {}
  context_var(const context_var&) = delete;
  context_var& operator=(const context_var&) = delete;
  ~context_var() { delete default_; }

  /// The value here, or the default. Valid until this variable is next set here, or what runs has suspended.
  /// Errors: `invalid_state` when there is neither.
  const T& get() const {
    if (const T* const found = find()) return *found;
    throw invalid_state("a context variable without a default was read before it was set");
  }
  /// The value here, else the default, else `otherwise`.
  T get_or(T otherwise) const {
    const T* const found = find();
    return found != nullptr ? *found : std::move(otherwise);
  }

  /// Sets it for what runs now and what that creates from now on.
  token set(T value) {
    auto*& here = internal::current_context();
    token before(*this, internal::context_data::find(here, this));
    auto* const made = new holder(std::move(value));
    put(made);
    return before;
  }
  /// Puts back what was there before the `set` that gave `before`.
  /// Errors: `invalid_state` when `before` came from another variable.
  void reset(token before) {
    if (before.variable_ != this)
      throw invalid_state("a token was given to another context variable than it came from");
    put(std::exchange(before.before_, nullptr));
  }

 private:
  struct holder final : internal::context_value {
    explicit holder(T given) : value(std::move(given)) {}
    T value;
  };

  const T* find() const noexcept {
    auto* const set = internal::context_data::find(internal::current_context(), this);
    if (set != nullptr) return &static_cast<holder*>(set)->value;
    return default_ != nullptr ? &default_->value : nullptr;
  }
  void put(internal::context_value* value) {
    auto*& here = internal::current_context();
    auto* const changed = internal::context_data::with(here, this, value);
    internal::context_data::release(std::exchange(here, changed));
  }

  holder* default_ = nullptr;
};

}  // namespace troupe
