// A library with sockets of its own, served by watches of them.
#include <troupe/io/fd_watch.hpp>
#include <troupe/io/listening.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/raw_descriptors.hpp"
#include "scenarios/support.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A library in the manner of curl's multi interface: it owns its sockets, opens and closes them as it likes, says what it wants to be
/// told by a function of the user's, and works only when it is called.
class foreign_client {
 public:
  enum class wish { read, write, remove };
  using socket_function = void (*)(int socket, wish wanted, void* user);

  foreign_client(std::uint16_t port, socket_function told, void* user)
      : port_(port), told_(told), user_(user) {}
  ~foreign_client() { disconnect(); }

  void start(std::string request) {
    request_ = std::move(request);
    answer_.clear();
    if (socket_ < 0) connect();
    told_(socket_, wish::write, user_);
  }
  /// The socket is ready.
  void act() {
    if (!request_.empty()) {
      const ssize_t sent = ::send(socket_, request_.data(), request_.size(), MSG_NOSIGNAL);
      if (sent > 0) request_.erase(0, static_cast<std::size_t>(sent));
      if (request_.empty()) told_(socket_, wish::read, user_);
      return;
    }
    const std::string some = take(socket_);
    answer_ += some;
    if (!some.empty() && answer_.back() != '\n') return;
    ++done_;
    // Behind the user's back: every third answer ends the connection, and the number is free for others.
    if (done_ % 3 == 0) {
      disconnect();
    } else {
      told_(socket_, wish::remove, user_);
    }
  }
  int done() const noexcept { return done_; }
  const std::string& answer() const noexcept { return answer_; }

 private:
  void connect() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(socket_ >= 0);
    const sockaddr_in address = loopback_address(port_);
    static_cast<void>(
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }
  void disconnect() {
    if (socket_ < 0) return;
    told_(socket_, wish::remove, user_);
    ::close(std::exchange(socket_, -1));
  }

  std::uint16_t port_;
  socket_function told_;
  void* user_;
  int socket_ = -1;
  std::string request_;
  std::string answer_;
  int done_ = 0;
};

/// How troupe serves such a library: a watch for each socket it names.
class foreign_driver {
 public:
  explicit foreign_driver(std::uint16_t port) : client(port, &foreign_driver::on_socket, this) {}

  foreign_client client;

 private:
  static void on_socket(int socket, foreign_client::wish wanted, void* user) {
    auto& self = *static_cast<foreign_driver*>(user);
    if (wanted == foreign_client::wish::remove) {
      self.watches_.erase(socket);
      return;
    }
    auto& watched = self.watches_.try_emplace(socket, socket).first->second;
    const bool write = wanted == foreign_client::wish::write;
    watched.call_on({.readable = !write, .writable = write},
                    [&self](io::fd_events) { self.client.act(); });
  }
  std::map<int, io::fd_watch> watches_;
};

coro<> upper_case_server(int listening, int clients) {
  io::fd_watch arriving(listening);
  std::vector<io::descriptor> all;
  for (int served = 0; served < clients; ++served) {
    co_await arriving.readable();
    io::descriptor connected(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!connected) continue;
    auto serve = [](io::descriptor one) -> coro<> {
      io::fd_watch watched(one.get());
      for (;;) {
        co_await watched.readable();
        const std::string text = take(one.get());
        if (text.empty()) co_return;
        put(one, text);
      }
    };
    create_task(serve(std::move(connected)));
  }
}

}  // namespace

TEST_CASE("a library that opens and closes its own sockets is served by watches") {
  auto body = []() -> coro<> {
    io::listening_socket made(io::endpoint::loopback(0));
    const std::uint16_t port = made.local().port();
    const io::descriptor listening = made.release();
    auto server = create_task(upper_case_server(listening.get(), 1000));
    {
      foreign_driver one(port);
      foreign_driver other(port);
      for (int turn = 0; turn < 100; ++turn) {
        const std::string request = "request " + std::to_string(turn) + "\n";
        one.client.start(request);
        other.client.start(request);
        co_await poll_until([&] { return one.client.done() > turn && other.client.done() > turn; });
        CHECK(one.client.answer() == request);
        CHECK(other.client.answer() == request);
      }
    }
    server.cancel();
    try {
      co_await server;
    } catch (const cancelled&) {
    }
  };
  run_scenario(body());
}
