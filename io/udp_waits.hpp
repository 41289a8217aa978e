#pragma once

#include <troupe/io/bytes.hpp>
#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/waiters.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <source_location>
#include <span>
#include <string_view>
#include <utility>

namespace troupe::io {

/// A message that came over a datagram socket.
struct datagram {
  datagram() noexcept = default;
  datagram(bytes given, const endpoint& sender, std::size_t sent_size) noexcept
      : content(std::move(given)), from(sender), size(sent_size) {}

  bytes content;
  endpoint from;
  std::size_t size = 0;  ///< with which it was sent

  /// Whether it was longer than the socket takes, and has lost its end.
  bool truncated() const noexcept { return size > content.size(); }
};

namespace internal {

class udp_core;

// The awaiters of a datagram socket. What they do is in udp_waits.cpp.

class receive_wait final : public suspension {
 public:
  explicit receive_wait(udp_core& from) noexcept : from_(&from) {}
  receive_wait(receive_wait&&) noexcept = default;
  ~receive_wait();

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  datagram await_resume();
  bool cancel() noexcept override;
  bool retry() noexcept override;
  std::string_view what() const noexcept override { return "a datagram"; }

 private:
  friend class udp_core;
  /// Whether it is over: with a result, or with `error_`.
  bool attempt() noexcept;
  void go_on() noexcept {
    from_ = nullptr;
    resume_now();
  }
  /// For who may be inside of a task: it looks in its own turn.
  void end(std::exception_ptr error) noexcept;

  udp_core* from_;  ///< null when this has nothing to do with it any more
  datagram result_;
  std::exception_ptr error_;
  bool retries_ = false;  ///< it will be tried again in its task's turn
};

class send_wait final : public suspension, public troupe::internal::chain_link {
 public:
  send_wait(udp_core& over, std::span<const std::byte> content, const endpoint* to) noexcept
      : over_(&over), content_(content) {
    if (to != nullptr) to_ = *to;
  }
  send_wait(send_wait&&) noexcept = default;

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume();
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "a datagram to send"; }

 private:
  friend class udp_core;
  void go_on(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    wake();
  }

  udp_core* over_;
  std::span<const std::byte> content_;
  std::optional<endpoint> to_;
  std::exception_ptr error_;
};

}  // namespace internal
}  // namespace troupe::io
