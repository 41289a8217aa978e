#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/io/transport.hpp>
#include <troupe/runtime/memory.hpp>

#include <optional>
#include <string>

namespace troupe::io::internal {

/// A connected stream socket: TCP or Unix.
class socket_transport final : public transport,
                               private poller::listener,
                               public troupe::internal::pooled {
 public:
  socket_transport(descriptor connected, const endpoint& peer) noexcept
      : unwatched_(std::move(connected)), peer_(peer) {}
  socket_transport(descriptor connected, std::string peer_name) noexcept
      : unwatched_(std::move(connected)), peer_name_(std::move(peer_name)) {}

  void attach(transport::listener& told) override;
  transfer read(std::span<std::byte> into) noexcept override;
  transfer write(std::span<const std::span<const std::byte>> parts) noexcept override;
  outlook look() const noexcept override { return {readable_, to_the_end_, failed_}; }
  std::error_code failure() noexcept override;
  std::error_code end_writing() noexcept override;
  void close(bool reset) noexcept override;
  std::string local_name() const override;
  std::string peer_name() const override { return peer_name_.empty() ? peer_.text() : peer_name_; }
  int native() const noexcept override { return watch_ ? watch_->native() : unwatched_.get(); }
  int output() const noexcept override { return native(); }

 private:
  // Urgent data is dropped, but a read stops before it, so this has to know.
  static constexpr std::uint32_t watched = poller::both_ways | EPOLLPRI;
  void on_events(std::uint32_t events) noexcept override {
    readable_ = true;
    if ((events & ~std::uint32_t{EPOLLIN | EPOLLOUT}) != 0) to_the_end_ = true;
    if ((events & EPOLLERR) != 0) failed_ = true;
    told_->on_ready();  // last: this may be gone then
  }

  // What a notice and a read need comes first: with many connections each line of the cache counts.
  descriptor unwatched_;  ///< before `attach`
  /// There may be something to read. A read that gets less than it could have taken leaves nothing, and a notice follows when more comes:
  /// that saves the call that would only say so. Not where the end, an error or urgent data is announced, which no further notice follows.
  bool readable_ = true;
  bool to_the_end_ = false;
  bool ended_ = false;   ///< a read has found the end
  bool failed_ = false;  ///< an error is announced
  transport::listener* told_ = nullptr;
  std::optional<watch> watch_;
  endpoint peer_;  ///< its text is made when it is asked for, which is seldom
  std::string peer_name_;
};

}  // namespace troupe::io::internal
