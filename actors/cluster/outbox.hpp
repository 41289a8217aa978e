#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/cluster/delivery.hpp>
#include <troupe/actors/cluster/stores.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace troupe::cluster {

struct reliable_options {
  std::size_t capacity = 1'000;  ///< messages that are not acknowledged, after which `send` waits
  std::size_t window = 32;       ///< so many of them are under way at a time
  duration retry = std::chrono::milliseconds(
      100);  ///< before it looks for the receiver again; doubled up to `slowest_retry`
  duration slowest_retry = std::chrono::seconds(10);
  /// With a store what was not acknowledged is sent by the next program that has the same.
  std::shared_ptr<outbox_store> store = {};
  /// By which receivers know the sender again, among all of the cluster. Needed with a store; else drawn.
  std::string sender = {};
};

namespace internal {

/// What is behind a `reliable`: messages by their numbers, and who sends them.
///
/// Threads: the node's loop.
class outbox final : public std::enable_shared_from_this<outbox> {
 public:
  using restore = std::unique_ptr<outgoing> (*)(const stored_message& kept);
  outbox(node& on, std::string_view name, const protocol_table& receiver, reliable_options options,
         restore restored);

  void begin();
  /// What is not acknowledged is given up.
  void close(const char* why) noexcept;

  /// The future of its being accepted; or, `until_handled`, of its end.
  future<void> add(std::unique_ptr<outgoing> message, bool until_handled);
  bool try_add(std::unique_ptr<outgoing> message);
  static coro<> flushed(std::shared_ptr<outbox> self);

  std::size_t unacknowledged() const noexcept { return waiting_.size(); }
  std::uint64_t refused() const noexcept { return refused_; }
  std::string describe() const;

 private:
  struct queued {
    std::unique_ptr<outgoing> what;
    std::optional<promise<void>> accepted;
    bool unwanted() const;
    void fail(const std::exception_ptr& why);
  };
  class open_session;

  static coro<> run(std::shared_ptr<outbox> self);
  static coro<> write_down(std::shared_ptr<outbox> self);
  coro<> load();
  coro<> keep_next();
  /// Gives whether something was acknowledged.
  coro<bool> session(any_actor there);
  any_actor find();
  bool has_room() const noexcept { return waiting_.size() < options_.capacity; }
  void expect_open() const;
  void accept(queued message);
  void admit();
  void pump();
  /// What the answer to the oldest says. False when those that follow have to be sent anew.
  bool judge(const receipt& got, const std::exception_ptr& error);
  void settle(const std::exception_ptr& error);

  node_access on_;
  const std::string name_;
  const std::string published_;  ///< the receiver, as that
  const protocol_table& table_;
  const reliable_options options_;
  const restore restore_;
  std::string sender_;
  std::uint64_t last_ = 0;     ///< number that was given
  std::uint64_t settled_ = 0;  ///< number, and all before it
  std::uint64_t refused_ = 0;
  std::exception_ptr closed_;
  std::deque<queued> line_;                        ///< for room, or to be written down
  std::deque<std::unique_ptr<outgoing>> waiting_;  ///< by their numbers
  // While there is a receiver: the first `sent_` of those that wait were sent, and but for the very first their answers are these.
  any_actor receiver_;
  std::size_t sent_ = 0;
  std::deque<future<receipt>> answers_;
  event changed_;  ///< pulses
  std::optional<task<>> running_;
  std::optional<task<>> writing_;  ///< with a store only
};

}  // namespace internal
}  // namespace troupe::cluster
