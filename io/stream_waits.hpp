#pragma once

#include <troupe/io/bytes.hpp>
#include <troupe/io/transport.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/waiters.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The awaiters of a stream. What they do is in stream.cpp and stream_core.hpp.

namespace troupe::io::internal {

class stream_core;

/// A read. It is tried when it is awaited and at each notice; it takes bytes only in the try with which it ends, so that one that is
/// cancelled has taken none.
class read_wait : public suspension {
 public:
  explicit read_wait(stream_core& from) noexcept : from_(&from) {}
  read_wait(read_wait&&) noexcept = default;
  ~read_wait();

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  bool cancel() noexcept override;
  bool retry() noexcept override;
  std::string_view what() const noexcept override { return "a stream to read"; }

 protected:
  friend class stream_core;
  /// Whether it is over: with a result, or with `error_`. Errors: std::bad_alloc.
  virtual bool attempt() = 0;
  /// The same; what it throws is the result.
  bool try_now() noexcept;
  /// What await_resume begins with.
  void settle();
  void fail(std::exception_ptr error) noexcept { error_ = std::move(error); }
  /// Whether the stream is at its end, or lost; then that is the result unless the caller has another.
  bool over(std::exception_ptr at_end);

  stream_core*
      from_;  ///< null when the stream has gone, or this has nothing to do with it any more
  std::exception_ptr error_;
  bool retries_ = false;  ///< it will be tried again in its task's turn

 private:
  /// It is over: its task goes on at once, outside of any other.
  void go_on() noexcept {
    from_ = nullptr;
    resume_now();
  }
  void look_again() noexcept;
  /// The stream has gone.
  void gone() noexcept;
};

/// One that gives a `T`.
template <class T>
class read_of : public read_wait {
 public:
  using read_wait::read_wait;
  T await_resume() {
    settle();
    return std::move(result_);
  }

 protected:
  T result_{};
};

class read_some_wait final : public read_of<bytes> {
 public:
  read_some_wait(stream_core& from, std::size_t most) noexcept : read_of(from), most_(most) {}

 private:
  bool attempt() override;
  std::size_t most_;
};

class read_into_wait final : public read_of<std::size_t> {
 public:
  read_into_wait(stream_core& from, std::span<std::byte> into) noexcept
      : read_of(from), into_(into) {}

 private:
  bool attempt() override;
  std::span<std::byte> into_;
};

class read_exactly_wait final : public read_of<bytes> {
 public:
  read_exactly_wait(stream_core& from, std::size_t count) noexcept : read_of(from), count_(count) {}

 private:
  bool attempt() override;
  std::size_t count_;
};

class read_all_wait final : public read_of<bytes> {
 public:
  read_all_wait(stream_core& from, std::size_t most) noexcept : read_of(from), most_(most) {}

 private:
  bool attempt() override;
  std::size_t most_;
};

class read_line_wait : public read_of<std::string> {
 public:
  using read_of::read_of;

 protected:
  bool attempt() override;
  std::size_t looked_ = 0;  ///< bytes that hold no newline
};

class next_line_wait final : public read_line_wait {
 public:
  using read_line_wait::read_line_wait;
  std::optional<std::string> await_resume();
};

class read_until_wait final : public read_of<std::string> {
 public:
  read_until_wait(stream_core& from, std::span<const std::string_view> separators);

 private:
  bool attempt() override;
  std::vector<std::string> separators_;
  std::size_t longest_ = 0;
  std::size_t looked_ = 0;  ///< bytes that hold no separator, nor the beginning of one
};

/// One who waits for something that happens to a stream as a whole; any number may.
class stream_wait : public suspension, public troupe::internal::chain_link {
 public:
  explicit stream_wait(stream_core& on) noexcept : on_(&on) {}
  stream_wait(stream_wait&&) noexcept = default;
  bool cancel() noexcept override;

 protected:
  friend class stream_core;
  /// What await_resume does. Errors: `cancelled`; what the stream was lost by.
  void settle();
  void go_on() noexcept { wake(); }

  stream_core* on_;
  std::exception_ptr error_;
};

class drain_wait final : public stream_wait {
 public:
  using stream_wait::stream_wait;
  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume() { settle(); }
  std::string_view what() const noexcept override { return "a stream to drain"; }
};

class close_wait final : public stream_wait {
 public:
  using stream_wait::stream_wait;
  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume() { settle(); }
  std::string_view what() const noexcept override { return "a stream to close"; }
};

}  // namespace troupe::io::internal
