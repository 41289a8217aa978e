// TCP echo the classic asio way: one session object per connection, callbacks, one thread.
#include <asio.hpp>

#include <array>
#include <memory>

#include "../echo_server.hpp"

namespace {

using asio::ip::tcp;

// Lives as long as an operation of its own is pending. Reads and writes take turns.
class session : public std::enable_shared_from_this<session> {
 public:
  explicit session(tcp::socket socket) : socket_{std::move(socket)} {}

  void read() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](const asio::error_code& failed, std::size_t size) {
          if (!failed) self->write(size);
        });
  }

 private:
  void write(std::size_t size) {
    asio::async_write(socket_, asio::buffer(buffer_, size),
                      [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
                        if (!failed) self->read();
                      });
  }

  tcp::socket socket_;
  std::array<char, bench::echo::buffer_size> buffer_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](const asio::error_code& failed, tcp::socket socket) {
    if (!failed) {
      socket.set_option(tcp::no_delay{true});
      std::make_shared<session>(std::move(socket))->read();
    }
    accept(acceptor);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    bench::echo::list("asio-callbacks");
    return 0;
  }
  const int port = bench::echo::wanted_port(argc, argv);
  if (port < 0) {
    std::fprintf(stderr, "usage: %s echo --port N\n", argv[0]);
    return 2;
  }
  asio::io_context context{1};
  const tcp::endpoint loopback{asio::ip::address_v4::loopback(),
                               static_cast<asio::ip::port_type>(port)};
  tcp::acceptor acceptor{context, loopback};
  bench::echo::announce(acceptor.local_endpoint().port());
  accept(acceptor);
  context.run();
}
