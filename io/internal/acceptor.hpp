#pragma once

#include <troupe/io/internal/watch.hpp>
#include <troupe/io/listening.hpp>
#include <troupe/runtime/timer.hpp>

#include <string>
#include <system_error>

namespace troupe::io::internal {

/// Accepts connections on the running loop and hands each to `host`. Those of TCP send small pieces at once (TCP_NODELAY), as connected ones
/// do.
///
/// When the process or the system has no descriptor left it stops accepting, says so once to the failure handler, and tries again
/// after a pause that doubles up to a second; connections wait in the system's backlog meanwhile.
/// Life: from construction, which begins; until it goes, which closes the socket.
class acceptor final : private troupe::timer, private poller::listener {
 public:
  class host {
   public:
    /// Outside of any task. The acceptor may be paused inside, but not destroyed.
    virtual void on_accepted(socket connected) noexcept = 0;
    /// It can accept no more; the failure has been reported. The last thing it does: it may be destroyed inside.
    virtual void on_acceptor_ended(acceptor& ended) noexcept = 0;

   protected:
    ~host() = default;
  };

  /// Errors: std::system_error when the socket cannot be watched.
  acceptor(host& told, listening_socket listening);
  ~acceptor() { home_.timers().cancel(*this); }

  /// Accepts nothing until `resume`; who comes waits in the system's backlog. Does nothing the second time.
  void pause() noexcept;
  void resume() noexcept;

 private:
  void on_events(std::uint32_t) noexcept override;
  /// One connection. False when there are no more now.
  bool accept_one() noexcept;
  void wait_for_better_times(std::error_code error) noexcept;
  static void on_pause_over(troupe::timer& due) noexcept;
  void give_up(std::error_code error) noexcept;

  host& told_;
  loop& home_;
  std::string name_;
  socket_file file_;
  bool unix_;
  bool paused_ = false;                ///< by who owns it
  bool resting_ = false;               ///< for want of descriptors
  bool short_of_descriptors_ = false;  ///< and it has been said
  duration rest_;
  watch watch_;
};

}  // namespace troupe::io::internal
