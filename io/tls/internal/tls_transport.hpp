#pragma once

#include <troupe/io/internal/write_queue.hpp>
#include <troupe/io/tls/info.hpp>
#include <troupe/io/tls/internal/openssl.hpp>
#include <troupe/io/tls/tls.hpp>
#include <troupe/io/transport.hpp>
#include <troupe/runtime/calls.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/timer.hpp>

#include <memory>
#include <string>
#include <system_error>

namespace troupe::io::internal {

class handshake_wait;

/// TLS over another transport.
///
/// OpenSSL reads from the transport below through a BIO of ours, and writes to it likewise; what that does not take is kept in `out_`, so
/// that OpenSSL never has to be asked twice to write the same. A write is refused while anything is kept, and a read while that is much: a
/// peer that asks for answers (key updates) has to read them.
/// Life: made, `begin`, a handshake that is waited for, and then given to a stream, which attaches itself.
class tls_transport final : public transport, private transport::listener, private troupe::timer {
 public:
  /// `before`: what has been read from `below` already.
  /// Errors: `tls_config_error` for a host that cannot be checked.
  tls_transport(std::unique_ptr<transport> below, bytes before,
                std::shared_ptr<const tls_state> state, std::string host, tls_options options);
  ~tls_transport() override;

  /// Listens to the transport below, on the running loop.
  void begin();
  tls_info info() const;
  /// For tests, which ask of it what no program needs.
  SSL* session() const noexcept { return session_.get(); }

  void attach(transport::listener& told) override { told_ = &told; }
  transfer read(std::span<std::byte> into) noexcept override;
  transfer write(std::span<const std::span<const std::byte>> parts) noexcept override;
  std::error_code end_writing() noexcept override;
  bool finish() noexcept override;
  void close(bool reset) noexcept override;
  std::string local_name() const override { return below_->local_name(); }
  std::string peer_name() const override { return below_->peer_name(); }

 private:
  friend class handshake_wait;
  friend struct bio_calls;
  friend int note_refused(int accepted, X509_STORE_CTX* of) noexcept;

  void on_ready() noexcept override;
  static void on_late(timer& due) noexcept;

  /// Goes on with the handshake; whether it is over, by success or by `failure_`.
  bool shake() noexcept;
  void fail_handshake(int kind);
  std::string explain_handshake(const std::string& reason) const;
  tls_error verification_error() const noexcept;
  [[noreturn]] void throw_failure() const;

  int take_for_peer(const char* data, int size) noexcept;
  int give_from_peer(char* into, int size) noexcept;
  void flush() noexcept;
  void say_farewell() noexcept;
  bool tickets_may_come() noexcept;
  /// Why a call failed that gave this kind of error; the session is of no use any more, but for its end of data.
  /// Returns what OpenSSL noted.
  unsigned long fail(int kind) noexcept;
  std::size_t write_record(std::span<const std::byte> plain) noexcept;
  void look_again_soon();

  std::unique_ptr<transport> below_;
  std::shared_ptr<const tls_state> state_;
  tls_options options_;
  std::string host_;
  ssl_session session_;  ///< after `state_`, whose context it uses
  certificate refused_;  ///< of the peer's chain, that which was not accepted
  bytes before_;
  std::unique_ptr<write_queue> out_;  ///< only while something is kept
  transport::listener* told_ = nullptr;
  loop* home_ = nullptr;
  handshake_wait* waiter_ = nullptr;
  call_handle soon_;
  std::error_code failure_;      ///< nothing works any more
  std::error_code write_error_;  ///< nothing can be sent any more
  std::error_code below_error_;  ///< of reading
  std::string failure_text_;
  bool corked_ = false;   ///< what is written is kept for now, to leave together
  bool starved_ = false;  ///< the transport below had nothing, in the call under way
  bool below_ended_ = false;
  bool ended_ = false;  ///< the peer has said that it writes no more
  bool established_ = false;
  bool heard_ = false;  ///< something came since the handshake
  bool farewell_due_ = false;
  bool farewell_said_ = false;
  bool waited_for_tickets_ = false;
  bool closed_ = false;
};

/// Waits for the handshake. Errors: `tls_failure`. Cancel: leaves it where it is.
class handshake_wait final : public suspension {
 public:
  explicit handshake_wait(tls_transport& of) noexcept : of_(&of) {}
  ~handshake_wait() {
    if (of_->waiter_ == this) of_->waiter_ = nullptr;
  }

  bool await_ready() noexcept { return of_->shake(); }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current()) {
    of_->waiter_ = this;
    park(handle, here);
  }
  void await_resume() {
    if (suspended()) finish();
    if (of_->failure_) of_->throw_failure();
  }
  bool cancel() noexcept override {
    of_->waiter_ = nullptr;
    wake_cancelled();
    return true;
  }
  std::string_view what() const noexcept override { return "a TLS handshake"; }

 private:
  friend class tls_transport;
  /// Last of what the transport does: it may be gone then.
  void go_on() noexcept { resume_now(); }
  tls_transport* of_;
};

}  // namespace troupe::io::internal
