#pragma once

#include <troupe/actors/owner_ref.hpp>
#include <troupe/io/internal/connection_core_functions.hpp>

#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

namespace troupe::io::internal {

/// What is behind a `stream_connection`, over whatever transport.
class connection_link {
 public:
  connection_link(stream_connection& self, actor_ref<connection_events> owner);
  virtual ~connection_link() = default;
  /// For an actor that was made without one: a link needs an actor whose base is there.
  static void give(stream_connection& to, std::unique_ptr<connection_link> made) noexcept {
    to.link_ = std::move(made);
  }

  virtual void add_credit(std::size_t bytes) = 0;
  virtual void write(bytes&& chunk, reply_to<void>&& accepted) = 0;
  virtual void end_writing() = 0;
  virtual void close_when_flushed() = 0;
  virtual void end(std::error_code reason) noexcept = 0;

 protected:
  actor_ref<connection> self() const noexcept { return self_.self(); }
  void stop() noexcept { self_.stop(); }
  const troupe::internal::owner_ref<connection_events>& owner() const noexcept { return owner_; }

 private:
  stream_connection& self_;
  troupe::internal::owner_ref<connection_events> owner_;
};

/// Tells the owner of bytes, as they come.
template <class Wire>
class connection_over final : public connection_link,
                              private connection_core<connection_over<Wire>, Wire> {
  using core = connection_core<connection_over<Wire>, Wire>;
  friend core;

 public:
  template <class... Arguments>
  connection_over(stream_connection& self, actor_ref<connection_events> owner,
                  const connection_options& options, Arguments&&... wire)
      : connection_link(self, std::move(owner)), core(options, std::forward<Arguments>(wire)...) {}

  void add_credit(std::size_t bytes) override { core::add_credit(bytes); }
  void write(bytes&& chunk, reply_to<void>&& accepted) override {
    core::write(std::move(chunk), std::move(accepted));
  }
  void end_writing() override { core::end_writing(); }
  void close_when_flushed() override { core::close_when_flushed(); }
  void end(std::error_code reason) noexcept override { core::end(reason); }
  using core::go_on_after;

 private:
  void tell_data(bytes&& chunk) { owner().tell(data{self(), std::move(chunk)}); }
  bool tell_end() {
    owner().tell(end_of_data{self()});
    return true;
  }
  void tell_drained(std::size_t size, std::size_t) { owner().tell(drained{self(), size}); }
  void tell_closed(std::error_code reason) noexcept {
    owner().tell(closed{self(), reason});
    stop();
  }
  void ask_for_turn() { self().tell(demand{0}); }
};

}  // namespace troupe::io::internal
