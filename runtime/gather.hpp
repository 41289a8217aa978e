#pragma once

#include <troupe/runtime/body.hpp>
#include <troupe/runtime/future_watch.hpp>
#include <troupe/runtime/task.hpp>

#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe {

/// How one of several ended, where failures are results: a value, an error, or `cancelled`.
template <class T>
class settled {
 public:
  using value_type = typename internal::outcome<T>::value_type;

  explicit settled(value_type given) : value_(std::move(given)), has_value_(true) {}
  explicit settled(std::exception_ptr error) noexcept : error_(std::move(error)), none_{} {}
  settled(settled&& other) noexcept(std::is_nothrow_move_constructible_v<value_type>)
      : error_(other.error_), none_{} {
    if (other.has_value_) emplace(std::move(other.value_));
  }
  settled(const settled& other)
    requires std::is_copy_constructible_v<value_type>
      : error_(other.error_), none_{} {
    if (other.has_value_) emplace(other.value_);
  }
  settled& operator=(const settled&) = delete;
  ~settled() {
    if (has_value_) value_.~value_type();
  }

  bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }
  /// The value. Errors: the error; `cancelled`.
  value_type& value() {
    if (!has_value_) std::rethrow_exception(error_);
    return value_;
  }
  value_type& operator*() { return value(); }
  /// The error, `cancelled` among them, or null.
  const std::exception_ptr& error() const noexcept { return error_; }

 private:
  template <class Value>
  void emplace(Value&& value) {
    ::new (static_cast<void*>(&value_)) value_type(std::forward<Value>(value));
    has_value_ = true;
  }

  std::exception_ptr error_;
  union {
    internal::nothing none_;
    value_type value_;
  };
  bool has_value_ = false;
};

/// First argument of `gather`: failures are results like others.
struct return_exceptions_tag {};
inline constexpr return_exceptions_tag return_exceptions{};

namespace internal {

/// What combinators make of an argument: a handle of something that goes on and can be waited for.
template <class Source>
struct awaited;
template <class Handle>
struct awaited_as {
  using handle = Handle;
  using result = typename Handle::value_type;
  /// Errors: `invalid_state` for one of another loop.
  static handle from(handle given) {
    expect_of_this_loop(given.base());
    return given;
  }
};
template <class T>
struct awaited<task<T>> : awaited_as<task<T>> {};
template <class T>
struct awaited<future<T>> : awaited_as<future<T>> {};
template <class T>
struct awaited<coro<T>> : awaited_as<task<T>> {
  static task<T> from(coro<T>&& body) { return create_task(std::move(body)); }
};
template <plain_awaitable T>
struct awaited<T> : awaited_as<task<decltype(std::declval<T&>().await_resume())>> {
  static auto from(T given) { return create_task(as_coro(std::move(given))); }
};

/// What a `gather` is, whatever its types.
class gather_watch : protected future_watch {
 protected:
  /// `collecting`: failures are results, so the first one ends nothing.
  gather_watch(std::size_t room, bool collecting) : future_watch(room), collecting_(collecting) {}

  /// Begins. Calls `fail` or `finish` at once when there is nothing to wait for; returns whether any child goes on.
  bool begin() noexcept;
  bool cancel_children(std::string_view reason) noexcept;
  void each_child(const visitor<const future_base>& visit) const;

  /// All have ended. `told` is the one that ended last, now, or null.
  virtual void finish(const future_base* told) noexcept = 0;
  /// The first one that failed, or was cancelled; it may be that others go on.
  virtual void fail(future_base& failed) noexcept = 0;
  /// No child goes on any more. Gives up the count for that.
  virtual void children_ended() noexcept = 0;

  bool cancel_requested_ = false;

 private:
  void told(std::size_t number) noexcept override;
  /// Whether that ends a gather that does not collect.
  bool ends(const future_base& child) const noexcept { return !collecting_ && !child.succeeded(); }

  bool over_ = false;  ///< `fail` or `finish` has been called
  bool collecting_;
};

/// The value of a child that has ended well: moved out where nobody else holds it.
template <class Handle>
auto child_value(Handle& child, const future_base* told) {
  auto& state = child.base();
  // One that ends now is still held by whoever ended it.
  using value = typename std::remove_reference_t<decltype(state)>::value_type;
  if constexpr (std::is_same_v<value, nothing>) {
    return nothing{};
  } else {
    return state.take(&state == told ? 2 : 1);
  }
}

template <class Handles, class Results, bool Collecting>
class gather_state final : public typed_future<Results>,
                           public gather_watch,
                           private loop_bound,
                           public pooled {
 public:
  gather_state(loop& home, Handles children)
      : typed_future<Results>(nullptr, home, 2),
        gather_watch(count_of(children), Collecting),
        children_(std::move(children)) {
    if constexpr (is_tuple) {
      std::apply([this](auto&... each) { (this->add(each.base()), ...); }, children_);
    } else {
      for (auto& each : children_) this->add(each.base());
    }
    if (this->begin()) {
      this->bind(home);
    } else {
      this->release();
    }
  }

  bool cancel(std::string_view reason) noexcept override {
    if (this->done()) {
      this->retrieved_ = true;
      return false;
    }
    return this->cancel_children(reason);
  }
  void each_part(const visitor<const future_base>& visit) const override {
    this->each_child(visit);
  }

 private:
  static constexpr bool is_tuple = requires { std::tuple_size<Handles>::value; };
  static std::size_t count_of(const Handles& children) noexcept {
    if constexpr (is_tuple) {
      return std::tuple_size_v<Handles>;
    } else {
      return children.size();
    }
  }

  future_watch::waiter_of_all waits() const noexcept override { return {this, nullptr}; }
  void finish(const future_base* told) noexcept override {
    if (this->cancel_requested_) {
      fail_as_cancelled();
      return;
    }
    try {
      if constexpr (is_tuple) {
        std::apply(
            [&](auto&... each) { this->result_.set_value(Results{result_of(each, told)...}); },
            children_);
      } else {
        Results all;
        all.reserve(children_.size());
        for (auto& each : children_) all.push_back(result_of(each, told));
        this->result_.set_value(std::move(all));
      }
    } catch (...) {
      this->result_.set_error(std::current_exception());  // the copy of a value threw
      this->complete(future_base::status::error);
      return;
    }
    this->complete(future_base::status::value);
  }
  void fail(future_base& failed) noexcept override {
    this->result_.set_error(failed.error());
    this->complete(future_base::status::error);
  }
  void fail_as_cancelled() noexcept {
    this->result_.set_error(cancelled_error({}));
    this->complete(future_base::status::error);
  }
  void children_ended() noexcept override {
    this->unbind();
    this->release();
  }
  void home_closes() noexcept override {
    this->stop();
    this->unbind();
    this->release();
  }

  template <class Handle>
  static auto result_of(Handle& each, const future_base* told) {
    if constexpr (Collecting) {
      using one = settled<typename Handle::value_type>;
      return each.base().succeeded() ? one(child_value(each, told)) : one(each.base().error());
    } else {
      return child_value(each, told);
    }
  }
  void destroy() noexcept override {
    if (this->unseen_error() && cancellation_of(this->result_.error()) == cancellation::none) {
      report_unseen({"a gather failed and nobody looked at its result", this->result_.error()});
    }
    delete this;
  }

  Handles children_;
};

template <bool Collecting, class Handle>
using gathered_value =
    std::conditional_t<Collecting, settled<typename Handle::value_type>,
                       typename outcome<typename Handle::value_type>::value_type>;

template <bool Collecting, class... Sources>
auto gather_all(Sources... sources) {
  using handles = std::tuple<typename awaited<Sources>::handle...>;
  using results = std::tuple<gathered_value<Collecting, typename awaited<Sources>::handle>...>;
  loop& home = running_loop("gather");
  handles all{awaited<Sources>::from(std::move(sources))...};  // braces: from left to right
  return future<results>(*new gather_state<handles, results, Collecting>(home, std::move(all)));
}

template <bool Collecting, class Source>
auto gather_range(std::vector<Source> sources) {
  using handle = typename awaited<Source>::handle;
  using results = std::vector<gathered_value<Collecting, handle>>;
  loop& home = running_loop("gather");
  std::vector<handle> all;
  all.reserve(sources.size());
  for (Source& each : sources) all.push_back(awaited<Source>::from(std::move(each)));
  return future<results>(
      *new gather_state<std::vector<handle>, results, Collecting>(home, std::move(all)));
}

template <class T>
concept awaitable_source = requires { typename awaited<T>::handle; };

}  // namespace internal

/// Waits for all of several coroutines, which start now as tasks and in this order, tasks and futures, such as the answers of
/// asks: `auto [x, y] = co_await gather(a.ask(p), b.ask(q))`. The results are a tuple in the order of the arguments, with an
/// empty struct for `void`. The first failure, or cancellation, of one is thrown at once, while the others run on; their own
/// failures are then dropped, as asyncio does. What it returns is a future, done already if all are.
/// Cancel: cancels all of them; ends with the first that ends as cancelled.
/// Errors: `invalid_state` off a loop.
template <internal::awaitable_source... Sources>
auto gather(Sources... sources) {
  return internal::gather_all<false>(std::move(sources)...);
}

/// The same where failures are results: a tuple of `settled`, once all have ended.
/// Cancel: cancels all of them; throws `cancelled` when they have ended.
template <internal::awaitable_source... Sources>
auto gather(return_exceptions_tag, Sources... sources) {
  return internal::gather_all<true>(std::move(sources)...);
}

/// The same for as many as there are, of one type: the results are a vector.
template <internal::awaitable_source Source>
auto gather(std::vector<Source> sources) {
  return internal::gather_range<false>(std::move(sources));
}
template <internal::awaitable_source Source>
auto gather(return_exceptions_tag, std::vector<Source> sources) {
  return internal::gather_range<true>(std::move(sources));
}

}  // namespace troupe
