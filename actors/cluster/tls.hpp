#pragma once

#include <troupe/actors/cluster/node.hpp>
#include <troupe/io/tls/tls.hpp>

#include <memory>
#include <string>
#include <utility>

namespace troupe::cluster {

/// What a node shows to others, and whom it believes: mutual TLS, for programs that link troupe::tls. Each node has a certificate that `authority` has
/// issued for `name`, which is the same for all nodes of a cluster, such as "node.shop.example".
///
///     cluster::node_options options{.name = "a", .listen = io::endpoint("10.0.0.1", 7000)};
///     cluster::credentials mine({io::pem::file("node.pem"), io::pem::file("node-key.pem")}, io::pem::file("ca.pem"), "node.shop.example");
///     mine.secure(options);
///     cluster::node here(options);
///
/// A copy is of the same. Threads: one.
class credentials {
 public:
  /// Errors: `tls_config_error`.
  credentials(const io::tls_identity& identity, const io::pem& authority, std::string name)
      : held_(std::make_shared<held>(identity, authority, std::move(name))) {}

  /// From the next connection on; those that there are go on. Errors: `tls_config_error`; then all stays as it is.
  void replace(const io::tls_identity& identity, const io::pem& authority) {
    held made(identity, authority, held_->name);
    *held_ = std::move(made);
  }

  void secure(node_options& options) const {
    options.secure_accepted = [mine = held_](io::stream wire) {
      return io::accept_tls(std::move(wire), mine->server);
    };
    options.secure_dialled = [mine = held_](io::stream wire) {
      return io::start_tls(std::move(wire), mine->client, mine->name);
    };
  }

 private:
  struct held {
    held(const io::tls_identity& identity, const io::pem& authority, std::string given)
        : server(io::tls_server(identity).require_client_certificate(authority).minimum(
              io::tls_version::v1_3)),
          client(
              io::tls_client().trust(authority).identity(identity).minimum(io::tls_version::v1_3)),
          name(std::move(given)) {}
    io::tls_context server;
    io::tls_context client;
    std::string name;
  };
  std::shared_ptr<held> held_;
};

}  // namespace troupe::cluster
