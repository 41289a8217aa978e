#pragma once

#include <troupe/io/testing/internal/virtual_turn.hpp>
#include <troupe/io/transport.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace troupe::testing::internal {

class pipe_end;
class simulated_programs;

/// A pipe between processes of a simulation. Any number may have its ends: it has ended when nobody can write into it any more and it
/// has been read empty, and it is broken when nobody can read it.
class virtual_pipe {
 public:
  virtual_pipe(std::weak_ptr<simulated_programs> in, std::size_t capacity) noexcept
      : in_(std::move(in)), capacity_(capacity) {}

  bool can_be_read() const noexcept;
  bool can_be_written() const noexcept;

 private:
  friend class pipe_end;
  /// Those of one side who have found that they have to wait.
  void tell(bool writers) noexcept;
  void remove(const pipe_end& closed) noexcept;

  std::weak_ptr<simulated_programs> in_;
  std::size_t capacity_;
  std::string content_;
  std::vector<pipe_end*> ends_;  ///< that are open, in the order of their making
};

/// One end of it, in the hands of a process: 0 is that of the test.
///
/// Life: closed by who has it, or with the process.
/// Invariant: whoever was told that nothing can be moved now gets a notice in a turn of its own when that has changed.
class pipe_end final : public io::transport {
 public:
  pipe_end(std::shared_ptr<virtual_pipe> of, bool writes, int holder, int of_process);
  ~pipe_end() override;

  void attach(listener& told) override;
  io::transfer read(std::span<std::byte> into) noexcept override;
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override;
  std::error_code end_writing() noexcept override;
  void close(bool reset) noexcept override;
  std::string local_name() const override { return "pipe"; }
  std::string peer_name() const override { return "pipe"; }

  int holder() const noexcept { return holder_; }
  /// The process has ended.
  void shut() noexcept;
  const std::shared_ptr<virtual_pipe>& pipe() const noexcept { return pipe_; }

 private:
  friend class virtual_pipe;
  void take_turn() noexcept;
  void ask_for_turn() noexcept {
    if (home_ != nullptr) turn_->ask(*home_);
  }

  std::shared_ptr<virtual_pipe> pipe_;
  std::shared_ptr<virtual_turn> turn_;
  listener* told_ = nullptr;
  loop* home_ = nullptr;
  const bool writes_;
  const int holder_;
  const int of_process_;  ///< whose standard stream it is, on this side or the other
  bool open_ = true;
  bool waits_ = false;  ///< nothing could be moved
  bool held_ = false;   ///< what is left comes in another turn
};

/// What a standard stream leads to that leads nowhere.
class nowhere final : public io::transport {
 public:
  void attach(listener&) override {}
  io::transfer read(std::span<std::byte>) noexcept override { return {}; }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    io::transfer all;
    for (const auto& each : parts) all.bytes += each.size();
    return all;
  }
  std::error_code end_writing() noexcept override { return {}; }
  void close(bool) noexcept override {}
  std::string local_name() const override { return "nowhere"; }
  std::string peer_name() const override { return "nowhere"; }
};

}  // namespace troupe::testing::internal
