// TLS echo the classic asio way: asio_callbacks.cpp with an asio::ssl::stream around the socket.
#include <asio.hpp>
#include <asio/ssl.hpp>
#include <troupe/io/tls/pem.hpp>

#include <array>
#include <cstring>
#include <memory>

#include "../echo_server.hpp"

namespace {

using asio::ip::tcp;

// Lives as long as an operation of its own is pending. Reads and writes take turns.
class session : public std::enable_shared_from_this<session> {
 public:
  session(tcp::socket socket, asio::ssl::context& context) : stream_{std::move(socket), context} {}

  void start() {
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](const asio::error_code& failed) {
                              if (!failed) self->read();
                            });
  }

 private:
  void read() {
    stream_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](const asio::error_code& failed, std::size_t size) {
          if (!failed) self->write(size);
        });
  }
  void write(std::size_t size) {
    asio::async_write(stream_, asio::buffer(buffer_, size),
                      [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
                        if (!failed) self->read();
                      });
  }

  asio::ssl::stream<tcp::socket> stream_;
  std::array<char, bench::echo::buffer_size> buffer_;
};

void accept(tcp::acceptor& acceptor, asio::ssl::context& context) {
  acceptor.async_accept([&](const asio::error_code& failed, tcp::socket socket) {
    if (!failed) {
      socket.set_option(tcp::no_delay{true});
      std::make_shared<session>(std::move(socket), context)->start();
    }
    accept(acceptor, context);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    bench::echo::list_tls("asio-callbacks");
    return 0;
  }
  const int port = bench::echo::wanted_port(argc, argv);
  if (port < 0) {
    std::fprintf(stderr, "usage: %s echo --port N\n", argv[0]);
    return 2;
  }
  const troupe::io::tls_identity shown = troupe::io::self_signed_identity("localhost");
  asio::ssl::context tls{asio::ssl::context::tls_server};
  tls.use_certificate_chain(asio::buffer(shown.chain().value()));
  tls.use_private_key(asio::buffer(shown.key().value()), asio::ssl::context::pem);
  asio::io_context context{1};
  const tcp::endpoint loopback{asio::ip::address_v4::loopback(),
                               static_cast<asio::ip::port_type>(port)};
  tcp::acceptor acceptor{context, loopback};
  bench::echo::announce(acceptor.local_endpoint().port());
  accept(acceptor, tls);
  context.run();
}
