#pragma once

#include <troupe/io/tls/errors.hpp>
#include <troupe/io/tls/pem.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::io {

namespace internal {
struct tls_state;
}

enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// What a client wants of TLS. As it is made, it trusts the authorities that the system trusts, checks the name of the host, and speaks
/// TLS 1.2 or later.
///
///     io::tls_context context(io::tls_client().trust(io::pem::file("our-ca.pem")).alpn({"http/1.1"}));
class tls_client {
 public:
  tls_client() = default;
  /// One that accepts whoever answers. Who stands between reads and changes everything; for trying things out.
  static tls_client insecure_without_verification() {
    tls_client made;
    made.verifies_ = false;
    return made;
  }

  /// Trusts these authorities, and the system's no more. Said again: those as well.
  tls_client& trust(pem authorities) {
    authorities_.push_back(std::move(authorities));
    return *this;
  }
  /// Trusts the system's authorities beside those given.
  tls_client& trust_system() {
    system_ = true;
    return *this;
  }
  /// What it shows to servers that ask.
  tls_client& identity(tls_identity shown) {
    identity_ = std::move(shown);
    return *this;
  }
  /// Application protocols (ALPN) to offer, the best first: "h2", "http/1.1".
  tls_client& alpn(std::initializer_list<const char*> names) {
    alpn_.assign(names.begin(), names.end());
    return *this;
  }
  tls_client& minimum(tls_version lowest) {
    minimum_ = lowest;
    return *this;
  }

 private:
  friend class tls_context;
  bool verifies_ = true;
  bool system_ = false;
  std::vector<pem> authorities_;
  std::optional<tls_identity> identity_;
  std::vector<std::string> alpn_;
  tls_version minimum_ = tls_version::v1_2;
};

/// What a server offers.
///
///     io::tls_context context(io::tls_server({io::pem::file("chain.pem"), io::pem::file("key.pem")}));
class tls_server {
 public:
  explicit tls_server(tls_identity shown) : identity_(std::move(shown)) {}

  /// Another identity for clients that ask for `host` (SNI): a name, or "*.name" for one label more. The first is for all others.
  tls_server& identity_for(std::string host, tls_identity shown) {
    others_.emplace_back(std::move(host), std::move(shown));
    return *this;
  }
  /// Clients have to show a certificate that one of these has issued.
  tls_server& require_client_certificate(pem authorities) {
    authorities_ = std::move(authorities);
    required_ = true;
    return *this;
  }
  /// Clients may show one; what they show has to be issued by one of these. Whether they did is in `tls_info`.
  tls_server& accept_client_certificate(pem authorities) {
    authorities_ = std::move(authorities);
    required_ = false;
    return *this;
  }
  /// Application protocols (ALPN) it speaks, the best first. A client that offers others only is refused; one that offers none is not.
  tls_server& alpn(std::initializer_list<const char*> names) {
    alpn_.assign(names.begin(), names.end());
    return *this;
  }
  tls_server& minimum(tls_version lowest) {
    minimum_ = lowest;
    return *this;
  }

 private:
  friend class tls_context;
  tls_identity identity_;
  std::vector<std::pair<std::string, tls_identity>> others_;
  std::optional<pem> authorities_;
  bool required_ = false;
  std::vector<std::string> alpn_;
  tls_version minimum_ = tls_version::v1_2;
};

/// All that sessions have in common: keys, certificates, whom to trust. Made once, copied as a handle.
/// Threads: any, also at the same time.
class tls_context {
 public:
  /// Errors, of both: `tls_config_error` for a file that cannot be read, what is not PEM, a key that is encrypted or belongs to another
  /// certificate, authorities without a single certificate, a protocol name that is empty or too long.
  /// Cost: reads the files, those of the system's authorities too: some 20 ms.
  explicit tls_context(const tls_client& wanted);
  explicit tls_context(const tls_server& offered);

  bool is_server() const noexcept;
  const std::shared_ptr<const internal::tls_state>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<const internal::tls_state> state_;
};

}  // namespace troupe::io
