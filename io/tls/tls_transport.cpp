#include <troupe/io/tls/internal/tls_transport.hpp>
#include <troupe/runtime/loop.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <climits>
#include <cstring>
#include <utility>

namespace troupe::io::internal {

namespace {

constexpr std::size_t record_size = SSL3_RT_MAX_PLAIN_LENGTH;
/// With so many bytes kept for the transport below nothing more is read: they may be answers to what was read.
constexpr std::size_t most_kept = std::size_t{1} << 16;
/// Buffers full of records without data, each hundreds of them, that one read puts up with before others get their turn.
constexpr int most_empty = 2;
/// How long a client that has heard nothing waits for the server's tickets before it closes.
constexpr duration ticket_time = std::chrono::seconds(1);

/// Why OpenSSL gave up, as one of ours; `first` is what it noted.
tls_error error_of(unsigned long first) noexcept {
  const int reason = ERR_GET_REASON(first);
  if (ERR_GET_LIB(first) != ERR_LIB_SSL) return tls_error::protocol_violation;
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_BAD_PACKET_LENGTH:
      return tls_error::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return tls_error::no_common_version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
      return tls_error::no_common_cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return tls_error::no_common_application_protocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return tls_error::certificate_missing;
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return tls_error::certificate_refused;
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_DECRYPTION_FAILED:
    case SSL_R_BLOCK_CIPHER_PAD_IS_WRONG:
    case SSL_R_DIGEST_CHECK_FAILED:
    case SSL_R_BAD_DIGEST_LENGTH:
    case SSL_R_SSLV3_ALERT_BAD_RECORD_MAC:
      return tls_error::bad_record;
    default:
      return reason >= SSL_AD_REASON_OFFSET ? tls_error::alert : tls_error::protocol_violation;
  }
}

}  // namespace

/// What OpenSSL calls to reach the transport below.
struct bio_calls {
  static tls_transport& of(BIO* bio) noexcept {
    return *static_cast<tls_transport*>(BIO_get_data(bio));
  }
  static int write(BIO* bio, const char* data, int size) noexcept {
    BIO_clear_retry_flags(bio);
    return of(bio).take_for_peer(data, size);
  }
  static int read(BIO* bio, char* into, int size) noexcept {
    BIO_clear_retry_flags(bio);
    const int got = of(bio).give_from_peer(into, size);
    if (got < 0 && of(bio).starved_) BIO_set_retry_read(bio);
    return got;
  }
  static long control(BIO*, int command, long, void*) noexcept {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static const BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "troupe");
      if (fresh == nullptr) throw std::bad_alloc();
      BIO_meth_set_write(fresh, &bio_calls::write);
      BIO_meth_set_read(fresh, &bio_calls::read);
      BIO_meth_set_ctrl(fresh, &bio_calls::control);
      return fresh;
    }();
    return made;
  }
  static bool attach(SSL& session, tls_transport& to) {
    BIO* const bio = BIO_new(method());
    if (bio == nullptr) return false;
    BIO_set_data(bio, &to);
    BIO_set_init(bio, 1);
    SSL_set_bio(&session, bio, bio);
    return true;
  }
};

tls_transport::tls_transport(std::unique_ptr<transport> below, bytes before,
                             std::shared_ptr<const tls_state> state, std::string host,
                             tls_options options)
    : timer(&tls_transport::on_late),
      below_(std::move(below)),
      state_(std::move(state)),
      options_(options),
      host_(std::move(host)),
      session_(SSL_new(state_->context.get())),
      before_(std::move(before)) {
  if (session_ == nullptr || !bio_calls::attach(*session_, *this)) throw std::bad_alloc();
  SSL* const session = session_.get();
  if (state_->server) {
    SSL_set_accept_state(session);
    return;
  }
  SSL_set_connect_state(session);
  if (host_.ends_with('.')) host_.pop_back();
  if (host_.empty()) {
    if (state_->verifies)
      throw tls_config_error(
          "a TLS client has to say which host it means, to check its certificate");
    return;
  }
  X509_VERIFY_PARAM* const checks = SSL_get0_param(session);
  X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // Names of hosts consist of letters, digits, dots and hyphens, and underscores in practice.
  const bool plain = std::all_of(host_.begin(), host_.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '.' || letter == '-' || letter == '_' ||
           letter == ':';
  });
  ERR_clear_error();
  const bool address = X509_VERIFY_PARAM_set1_ip_asc(checks, host_.c_str()) == 1;
  if (address) return;
  ERR_clear_error();
  if (!plain || host_.size() > 253 || SSL_set_tlsext_host_name(session, host_.c_str()) != 1 ||
      X509_VERIFY_PARAM_set1_host(checks, host_.data(), host_.size()) != 1) {
    ERR_clear_error();
    throw tls_config_error("'" + host_ + "' is neither the name of a host nor an IP address");
  }
}

tls_transport::~tls_transport() { close(true); }

void tls_transport::begin() {
  home_ = loop::current();
  below_->attach(*this);
}

// --- what OpenSSL calls -----------------------------------------------------------------------------------------------

int tls_transport::take_for_peer(const char* data, int size) noexcept {
  std::span<const std::byte> left(reinterpret_cast<const std::byte*>(data),
                                  static_cast<std::size_t>(size));
  while (!corked_ && out_ == nullptr && !left.empty() && !write_error_) {
    const transfer sent = below_->write({&left, 1});
    if (sent.error && !sent.blocked()) write_error_ = sent.error;
    if (sent.bytes == 0) break;
    left = left.subspan(sent.bytes);
  }
  if (!left.empty() && !write_error_) {
    if (out_ == nullptr) out_ = std::make_unique<write_queue>();
    out_->push(left.data(), left.size());
  }
  return size;
}

int tls_transport::give_from_peer(char* into, int size) noexcept {
  if (!before_.empty()) {
    const std::size_t part = std::min(before_.size(), static_cast<std::size_t>(size));
    std::memcpy(into, before_.data(), part);
    before_.consume(part);
    if (before_.empty()) before_ = bytes();
    return static_cast<int>(part);
  }
  starved_ = false;
  if (below_ended_ || below_error_) return -1;
  const transfer got =
      below_->read({reinterpret_cast<std::byte*>(into), static_cast<std::size_t>(size)});
  if (got.bytes != 0) {
    heard_ = true;
    return static_cast<int>(got.bytes);
  }
  if (got.blocked()) {
    starved_ = true;
  } else if (got.error) {
    below_error_ = got.error;
  } else {
    below_ended_ = true;
  }
  return -1;
}

void tls_transport::flush() noexcept {
  while (out_ != nullptr) {
    const write_queue::parts parts = out_->front();
    const transfer sent = below_->write(parts.span());
    if (sent.error && !sent.blocked()) {
      write_error_ = sent.error;
      out_.reset();
      return;
    }
    if (sent.bytes == 0) return;
    out_->sent(sent.bytes);
    if (out_->empty()) out_.reset();
  }
}

// --- what the stream calls --------------------------------------------------------------------------------------------

unsigned long tls_transport::fail(int kind) noexcept {
  const unsigned long first = take_error();
  if (kind == SSL_ERROR_SSL && first != 0) {
    failure_ = error_of(first);
    // It has spoken TLS: what looks otherwise is damaged.
    if (established_ && failure_ == tls_error::not_tls) failure_ = tls_error::bad_record;
  } else if (below_error_) {
    failure_ = below_error_;
  } else if (below_ended_) {
    // Whoever tolerates this does so between records only.
    if (options_.tolerate_truncation && SSL_has_pending(session_.get()) == 0) {
      ended_ = true;
    } else {
      failure_ = tls_error::truncated;
    }
  } else {
    failure_ = tls_error::protocol_violation;
  }
  return first;
}

void tls_transport::look_again_soon() {
  soon_ = home_->call_soon([this] {
    if (told_ != nullptr) told_->on_ready();  // last: this may be gone then
  });
}

transfer tls_transport::read(std::span<std::byte> into) noexcept {
  if (failure_) return {0, failure_};
  if (ended_) return {};
  if (out_ != nullptr && out_->size() > most_kept) return transfer::none_now();
  for (int turn = 0; turn < most_empty; ++turn) {
    ERR_clear_error();
    starved_ = false;
    std::size_t got = 0;
    const int result = SSL_read_ex(session_.get(), into.data(), into.size(), &got);
    if (result == 1) return {got, {}};
    const int kind = SSL_get_error(session_.get(), result);
    if (kind == SSL_ERROR_WANT_READ) {
      if (starved_) return transfer::none_now();
      if (!below_ended_ && !below_error_) continue;  // a record without data
    }
    if (kind == SSL_ERROR_ZERO_RETURN) {
      ended_ = true;
    } else {
      fail(kind);
    }
    return ended_ ? transfer{} : transfer{0, failure_};
  }
  look_again_soon();
  return transfer::none_now();
}

/// Writes one record; none when there is no room for it.
std::size_t tls_transport::write_record(std::span<const std::byte> plain) noexcept {
  std::size_t taken = 0;
  for (;;) {
    ERR_clear_error();
    starved_ = false;
    const int result = SSL_write_ex(session_.get(), plain.data(), plain.size(), &taken);
    if (result == 1) return taken;
    // Only in the midst of a message of the peer's that is not data: the rest of it has to come first.
    const int kind = SSL_get_error(session_.get(), result);
    if (kind == SSL_ERROR_WANT_READ && !below_ended_ && !below_error_) {
      if (starved_) return 0;
      continue;
    }
    fail(kind);
    if (!failure_) failure_ = tls_error::truncated;
    return 0;
  }
}

transfer tls_transport::write(std::span<const std::span<const std::byte>> parts) noexcept {
  std::size_t taken = 0;
  std::size_t part = 0;
  std::size_t offset = 0;
  while (part < parts.size() && out_ == nullptr && !failure_ && !write_error_) {
    std::span<const std::byte> next = parts[part].subspan(offset);
    std::array<std::byte, record_size> gathered;
    if (next.size() < record_size && part + 1 < parts.size()) {
      // Small parts leave in one record.
      std::size_t size = 0;
      for (std::size_t from = part, skip = offset; from < parts.size() && size < record_size;
           ++from, skip = 0) {
        const std::size_t some = std::min(parts[from].size() - skip, record_size - size);
        std::memcpy(gathered.data() + size, parts[from].data() + skip, some);
        size += some;
      }
      next = {gathered.data(), size};
    }
    const std::size_t sent = write_record(next.first(std::min(next.size(), record_size)));
    if (sent == 0) break;
    taken += sent;
    for (std::size_t left = sent; left != 0;) {
      const std::size_t gone = std::min(left, parts[part].size() - offset);
      left -= gone;
      offset += gone;
      if (offset != parts[part].size()) continue;
      ++part;
      offset = 0;
    }
  }
  if (taken != 0) return {taken, {}};
  if (failure_) return {0, failure_};
  if (write_error_) return {0, write_error_};
  return transfer::none_now();
}

// --- the end ----------------------------------------------------------------------------------------------------------

/// OpenSSL refuses in the midst of a message of the peer's that is not data; then it is said later.
void tls_transport::say_farewell() noexcept {
  if (farewell_said_ || failure_ || write_error_) return;
  ERR_clear_error();
  farewell_due_ = SSL_shutdown(session_.get()) < 0;
  farewell_said_ = !farewell_due_;
  ERR_clear_error();
}

std::error_code tls_transport::end_writing() noexcept {
  say_farewell();
  return failure_ ? failure_ : write_error_;
}

/// A TLS 1.3 server sends tickets after the handshake. A socket that is closed while they are unread, or before they come, resets the
/// connection, and what was sent last is lost; so a client that has heard nothing yet waits for them, for a while.
bool tls_transport::tickets_may_come() noexcept {
  if (state_->server || !established_ || SSL_version(session_.get()) != TLS1_3_VERSION)
    return false;
  char dropped[4096];
  for (int turn = 0; turn < 16; ++turn)
    if (give_from_peer(dropped, sizeof dropped) < 0) break;
  if (heard_ || below_ended_ || below_error_) return false;
  if (!armed() && !waited_for_tickets_) home_->timers().arm(*this, home_->time() + ticket_time);
  return !waited_for_tickets_;
}

void tls_transport::on_late(timer& due) noexcept {
  auto& self = static_cast<tls_transport&>(due);
  self.waited_for_tickets_ = true;
  if (self.told_ != nullptr) self.told_->on_ready();  // last: it may be gone then
}

bool tls_transport::finish() noexcept {
  say_farewell();
  if (failure_ || write_error_ || closed_) return true;
  return out_ == nullptr && !farewell_due_ && !tickets_may_come();
}

void tls_transport::close(bool reset) noexcept {
  if (std::exchange(closed_, true)) return;
  told_ = nullptr;
  soon_.cancel();
  if (home_ != nullptr) home_->timers().cancel(*this);
  // With a failure of ours the peer has been sent an alert, which a reset would take from it.
  const bool alerted = failure_.category() == tls_category() && !below_ended_;
  flush();
  out_.reset();
  below_->close(reset && !alerted);
}

void tls_transport::on_ready() noexcept {
  flush();
  if (farewell_due_) say_farewell();
  if (waiter_ != nullptr) {
    if (shake()) std::exchange(waiter_, nullptr)->go_on();  // last: this may be gone then
  } else if (told_ != nullptr) {
    told_->on_ready();  // likewise
  }
}

}  // namespace troupe::io::internal
