#pragma once

#include <troupe/io/internal/watch.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/io/transport.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace troupe::io::internal {

/// A pipe, a terminal, or whatever else is read and written as such; one descriptor for each direction, or one for both.
/// Invariant: the descriptors do not block.
class pipe_transport final : public transport {
 public:
  /// Either may be empty; without `write`, `both` says that `read` is for writing too.
  pipe_transport(descriptor read, descriptor write, std::string name, bool both = false) noexcept
      : in_(*this, std::move(read)),
        out_(*this, std::move(write)),
        both_(both),
        name_(std::move(name)) {}

  void attach(transport::listener& told) override;
  transfer read(std::span<std::byte> into) noexcept override;
  transfer write(std::span<const std::span<const std::byte>> parts) noexcept override;
  std::error_code end_writing() noexcept override;
  void close(bool reset) noexcept override;
  std::string local_name() const override { return name_; }
  std::string peer_name() const override { return name_; }
  int native() const noexcept override { return in_.native() >= 0 ? in_.native() : out_.native(); }

 private:
  /// One of the descriptors. Each has a listener of its own: the poller forgets the notices of one that goes by its listener.
  class end final : public poller::listener {
   public:
    end(pipe_transport& of, descriptor given) noexcept : of_(of), unwatched_(std::move(given)) {}
    int native() const noexcept { return watch_ ? watch_->native() : unwatched_.get(); }
    /// Errors: std::system_error.
    void attach();
    /// So much went through it. A pipe that carries much is made larger, once: the fewer switches between the processes, the faster.
    void moved(std::size_t bytes) noexcept {
      if (moved_ < worth_more) count(bytes);
    }
    void close() noexcept {
      watch_.reset();
      unwatched_.close();
    }

   private:
    static constexpr std::size_t worth_more = std::size_t{1} << 20;

    void on_events(std::uint32_t events) noexcept override { of_.on_events(*this, events); }
    void count(std::size_t bytes) noexcept;
    pipe_transport& of_;
    descriptor unwatched_;  ///< before `attach`, and for devices that are always ready
    std::optional<watch> watch_;
    std::size_t moved_ = 0;
  };

  void on_events(const end& from, std::uint32_t events) noexcept;
  int to_write_to() const noexcept { return both_ ? in_.native() : out_.native(); }

  end in_;
  end out_;
  transport::listener* told_ = nullptr;
  bool both_;
  bool is_pipe_ = false;  ///< a read that gives less than was asked for has emptied it
  bool is_socket_ = false;
  bool readable_ = true;
  bool to_the_end_ = false;  ///< the end is announced, and no further notice follows
  std::string name_;
};

}  // namespace troupe::io::internal
