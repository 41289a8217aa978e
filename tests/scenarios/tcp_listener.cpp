// Listening: accepted sockets, many of them, ports in use, and no descriptors left.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Keeps what is accepted, and says how many there are.
struct guests {
  std::vector<io::socket> sockets;
  std::size_t count = 0;
  bool keep = true;
};

class host : public actor<io::listener_events> {
 public:
  explicit host(std::shared_ptr<guests> all) : shared_(std::move(all)), all_(*shared_) {}
  void on(io::accepted a) {
    ++all_.count;
    if (all_.keep) all_.sockets.push_back(std::move(a.connected));
  }

 private:
  std::shared_ptr<guests> shared_;
  guests& all_;
};

class echo_session : public actor<io::connection_events> {
 public:
  explicit echo_session(io::socket connected)
      : connection_(spawn<io::tcp_connection>(std::move(connected), self())) {
    connection_.tell(io::demand{64 << 10});
  }
  void on(io::data d) { connection_.tell(io::write(std::move(d.chunk))); }
  void on(io::drained d) { connection_.tell(io::demand{d.bytes}); }
  void on(io::end_of_data) { connection_.tell(io::close{}); }
  void on(io::closed) { stop(); }

 private:
  connection_ref connection_;
};

class echo_host : public actor<io::listener_events> {
 public:
  explicit echo_host(io::listening_socket listening) {
    spawn<io::tcp_listener>(std::move(listening), self());
  }
  void on(io::accepted a) { spawn<echo_session>(std::move(a.connected)); }
};

/// What a listening socket on `where` fails with, or no error.
std::system_error failure_of_listening(const io::endpoint& where) {
  try {
    io::listening_socket made(where);
  } catch (const std::system_error& error) {
    return error;
  }
  return std::system_error(std::error_code());
}

/// The number of a descriptor that would be opened next.
int next_descriptor() {
  const int probe = ::dup(0);
  REQUIRE(probe >= 0);
  ::close(probe);
  return probe;
}

/// The limit of open descriptors, set for as long as this lives.
class descriptor_limit {
 public:
  explicit descriptor_limit(rlim_t soft) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    set(soft);
  }
  ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  descriptor_limit(const descriptor_limit&) = delete;
  descriptor_limit& operator=(const descriptor_limit&) = delete;
  void set(rlim_t soft) const {
    rlimit wanted = before_;
    wanted.rlim_cur = soft;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &wanted) == 0);
  }
  void lift() const { set(before_.rlim_cur); }

 private:
  rlimit before_{};
};

/// Resident memory of this process in bytes.
std::size_t resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t pages = 0;
  file >> total >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

// --- listening sockets ---------------------------------------------------------------------------------------------------

TEST_CASE("a listening socket asked for port 0 says which port it got") {
  const io::listening_socket listening(io::endpoint::loopback(0));
  CHECK(listening.local().port() != 0);
  CHECK(listening.local().address() == "127.0.0.1");
}

TEST_CASE("a port in use is an error that names the endpoint") {
  const io::listening_socket first(io::endpoint::loopback(0));
  const std::system_error error = failure_of_listening(first.local());
  CHECK(error.code() == std::errc::address_in_use);
  CHECK(std::string(error.what()) ==
        "listening on " + first.local().text() + ": Address already in use");
}

TEST_CASE("an address of another machine is an error that names the endpoint") {
  const std::system_error error =
      failure_of_listening(io::endpoint("192.0.2.1", 0));  // nobody's, by RFC 5737
  CHECK(error.code() == std::errc::address_not_available);
  CHECK(std::string(error.what()).find("listening on 192.0.2.1:0: ") == 0);
}

TEST_CASE("a listening socket that failed leaves no descriptor behind") {
  const io::listening_socket first(io::endpoint::loopback(0));
  const std::size_t before = open_descriptors();
  for (int turn = 0; turn < 10; ++turn) failure_of_listening(first.local());
  CHECK(open_descriptors() == before);
}

TEST_CASE("two listening sockets share a port when both ask for it") {
  const io::listening_socket first(io::endpoint::loopback(0), {.reuse_port = true});
  const io::listening_socket second(first.local(), {.reuse_port = true});
  CHECK(second.local() == first.local());
}

TEST_CASE("an IPv6 socket leaves the IPv4 port of the same number alone") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  const io::listening_socket six(io::endpoint("::", 0));
  const std::system_error error = failure_of_listening(io::endpoint("0.0.0.0", six.local().port()));
  // Somebody else may have the port by chance; this socket of ours does not.
  if (error.code() == std::errc::address_in_use) {
    const io::listening_socket again(io::endpoint("::", 0));
    CHECK_FALSE(failure_of_listening(io::endpoint("0.0.0.0", again.local().port())).code());
  } else {
    CHECK_FALSE(error.code());
  }
}

TEST_CASE("the port of a server that closed connections itself can be listened on at once") {
  auto body = []() -> coro<> {
    io::endpoint where;
    {
      const auto shared = std::make_shared<guests>();
      guests& all = *shared;
      io::listening_socket listening(io::endpoint::loopback(0));
      where = listening.local();
      auto owner = spawn<host>(shared);
      auto listener = spawn<io::tcp_listener>(std::move(listening), owner);
      peer guest = connect_peer(where.port());
      co_await poll_until([&] { return all.count == 1; });
      all.sockets.clear();  // this side closes first and keeps the address waiting
      co_await guest.receive_all();
      guest.close();
      listener.stop();
      co_await turns();
      owner.stop();
      co_await turns();
    }
    const std::system_error error = failure_of_listening(where);
    CHECK_FALSE(error.code());
  };
  run_scenario(body());
}

// --- accepting -------------------------------------------------------------------------------------------------------------

TEST_CASE("a listener hands over each connection with the peer's address") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    const io::endpoint where = listening.local();
    auto owner = spawn<host>(shared);
    spawn<io::tcp_listener>(std::move(listening), owner);
    peer first = connect_peer(where.port());
    peer second = connect_peer(where.port());
    co_await poll_until([&] { return all.count == 2; });
    CHECK(all.sockets[0].local() == where);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(first.native(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    CHECK(all.sockets[0].peer() == io::endpoint::loopback(ntohs(address.sin_port)));
    CHECK_FALSE(all.sockets[0].peer() == all.sockets[1].peer());
    all.sockets.clear();
  };
  run_scenario(body());
}

TEST_CASE("dropping an accepted message closes its connection") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    all.keep = false;
    io::listening_socket listening(io::endpoint::loopback(0));
    peer guest = connect_peer(listening.local().port());
    auto owner = spawn<host>(shared);
    spawn<io::tcp_listener>(std::move(listening), owner);
    co_await guest.receive_all();
    CHECK(guest.at_end());
    CHECK(all.count == 1);
  };
  run_scenario(body());
}

TEST_CASE("connections accepted for an owner that is dead are closed") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    const std::uint16_t port = listening.local().port();
    auto owner = spawn<host>(shared);
    spawn<io::tcp_listener>(std::move(listening), owner);
    owner.stop();
    co_await turns();
    peer guest = connect_peer(port);
    co_await guest.receive_all();
    CHECK(guest.at_end());
    CHECK(all.count == 0);
  };
  run_scenario(body());
}

TEST_CASE("stopping a listener frees its port") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<guests>();
    io::listening_socket listening(io::endpoint::loopback(0));
    const io::endpoint where = listening.local();
    auto owner = spawn<host>(shared);
    auto listener = spawn<io::tcp_listener>(std::move(listening), owner);
    co_await turns();
    listener.stop();
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    const std::system_error error = failure_of_listening(where);
    CHECK_FALSE(error.code());
  };
  run_scenario(body());
}

TEST_CASE("a listener on another loop hands over connections that work here") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    const std::uint16_t port = listening.local().port();
    auto owner = spawn<host>(shared);
    auto listener = spawn<io::tcp_listener>(place::on(1), std::move(listening), owner);
    peer guest = connect_peer(port);
    co_await poll_until([&] { return all.count == 1; });
    spawn<echo_session>(std::move(all.sockets.front()));
    co_await guest.send("hello");
    const std::string got = co_await guest.receive(5);
    CHECK(got == "hello");
  };
  run_scenario(body(), 2);
}

TEST_CASE("a listener on IPv6 accepts") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint("::1", 0));
    const io::endpoint where = listening.local();
    auto owner = spawn<host>(shared);
    spawn<io::tcp_listener>(std::move(listening), owner);
    const io::socket guest = co_await io::connect(where);
    co_await poll_until([&] { return all.count == 1; });
    CHECK(all.sockets[0].peer() == guest.local());
    CHECK(all.sockets[0].peer().is_ipv6());
    all.sockets.clear();
  };
  run_scenario(body());
}

TEST_CASE("peers that reset before they are accepted disturb nobody") {
  auto body = []() -> coro<> {
    io::listening_socket listening(io::endpoint::loopback(0));
    const std::uint16_t port = listening.local().port();
    for (int turn = 0; turn < 20; ++turn) connect_peer(port).reset();
    spawn<echo_host>(std::move(listening));
    peer guest = connect_peer(port);
    co_await guest.send("hello");
    const std::string got = co_await guest.receive(5);
    CHECK(got == "hello");
  };
  run_scenario(body());
}

TEST_CASE("a thousand connections at once are all served") {
  auto body = []() -> coro<> {
    io::listening_socket listening(io::endpoint::loopback(0));
    const std::uint16_t port = listening.local().port();
    spawn<echo_host>(std::move(listening));
    std::vector<peer> guests_in;
    for (int index = 0; index < 1000; ++index) {
      guests_in.push_back(connect_peer(port));
      if (index % 100 == 0) co_await turns(3);
    }
    for (std::size_t index = 0; index < guests_in.size(); ++index) {
      co_await guests_in[index].send("hello from " + std::to_string(index));
    }
    std::size_t served = 0;
    for (std::size_t index = 0; index < guests_in.size(); ++index) {
      const std::string wanted = "hello from " + std::to_string(index);
      const std::string got = co_await guests_in[index].receive(wanted.size());
      if (got == wanted) ++served;
      guests_in[index].end_sending();
    }
    CHECK(served == 1000);
    std::size_t ended = 0;
    for (peer& each : guests_in) {
      const std::string rest = co_await each.receive_all();
      if (rest.empty() && each.error() == 0) ++ended;
    }
    CHECK(ended == 1000);
  };
  run_scenario(body());
}

// --- ten thousand ------------------------------------------------------------------------------------------------------------

namespace {

constexpr std::size_t crowd_size = 10'000;

/// A process of clients, so that each side has descriptors of its own. It connects, has a byte echoed on every connection,
/// says so, waits for a byte, has another one echoed on all, and ends.
class crowd {
 public:
  crowd() {
    int to[2];
    int from[2];
    REQUIRE(::pipe(to) == 0);
    REQUIRE(::pipe(from) == 0);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      ::close(to[1]);
      ::close(from[0]);
      ::_exit(run(to[0], from[1]));
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = io::descriptor(to[1]);
    from_ = io::descriptor(from[0]);
    REQUIRE(::fcntl(from_.get(), F_SETFL, O_NONBLOCK) == 0);
  }
  ~crowd() { wait(); }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

  void tell(std::uint16_t number) {
    REQUIRE(::write(to_.get(), &number, sizeof number) == sizeof number);
  }
  /// Waits for the next byte it says; 0 when it ended.
  coro<char> word() {
    for (;;) {
      char said = 0;
      const ssize_t got = ::read(from_.get(), &said, 1);
      if (got >= 0) co_return got == 1 ? said : '\0';
      co_await sleep(1ms);
    }
  }
  int wait() {
    to_.close();
    from_.close();
    if (child_ > 0) ::waitpid(std::exchange(child_, -1), &status_, 0);
    return status_;
  }

 private:
  static bool echo_on(int socket, char byte) {
    if (::send(socket, &byte, 1, MSG_NOSIGNAL) != 1) return false;
    return true;
  }
  static bool echoed_on(int socket, char byte) {
    char got = 0;
    return ::recv(socket, &got, 1, 0) == 1 && got == byte;
  }
  /// In the child: system calls only, no memory but the stack.
  static int run(int commands, int words) {
    static int sockets[crowd_size];
    std::uint16_t number = 0;
    if (::read(commands, &number, sizeof number) != sizeof number) return 1;
    const sockaddr_in address = loopback_address(number);
    const timeval limit{100, 0};
    const linger at_once{1, 0};
    for (int& each : sockets) {
      each = ::socket(AF_INET, SOCK_STREAM, 0);
      if (each < 0) return 2;
      ::setsockopt(each, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      ::setsockopt(each, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      if (::connect(each, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return 3;
    }
    for (char round = 'a'; round <= 'b'; ++round) {
      for (const int each : sockets) {
        if (!echo_on(each, round)) return 4;
      }
      for (const int each : sockets) {
        if (!echoed_on(each, round)) return 5;
      }
      if (::write(words, &round, 1) != 1) return 6;
      if (::read(commands, &number, sizeof number) != sizeof number) return 7;
    }
    return 0;
  }

  pid_t child_ = -1;
  int status_ = -1;
  io::descriptor to_;
  io::descriptor from_;
};

/// Counts its sessions.
struct crowd_count {
  std::size_t open = 0;
  std::size_t most = 0;
};

class counted_session : public actor<io::connection_events> {
 public:
  counted_session(io::socket connected, std::shared_ptr<crowd_count> count)
      : connection_(spawn<io::tcp_connection>(std::move(connected), self())),
        shared_(std::move(count)),
        count_(*shared_) {
    count_.most = std::max(count_.most, ++count_.open);
    connection_.tell(io::demand{4096});
  }
  ~counted_session() { --count_.open; }
  void on(io::data d) { connection_.tell(io::write(std::move(d.chunk))); }
  void on(io::drained d) { connection_.tell(io::demand{d.bytes}); }
  void on(io::end_of_data) { connection_.tell(io::close{}); }
  void on(io::closed) { stop(); }

 private:
  connection_ref connection_;
  std::shared_ptr<crowd_count> shared_;
  crowd_count& count_;
};

class counting_host : public actor<io::listener_events> {
 public:
  counting_host(io::listening_socket listening, std::shared_ptr<crowd_count> count)
      : count_(std::move(count)) {
    spawn<io::tcp_listener>(std::move(listening), self());
  }
  void on(io::accepted a) { spawn<counted_session>(std::move(a.connected), count_); }

 private:
  std::shared_ptr<crowd_count> count_;
};

}  // namespace

TEST_CASE("ten thousand open connections are all served, and leave nothing behind") {
  constexpr rlim_t needed = crowd_size + 100;
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_max < needed) {
    WARN("skipped: the hard limit of open descriptors is " << limit.rlim_max << ", and " << needed
                                                           << " are needed");
    return;
  }
  const descriptor_limit raised(std::max(needed, limit.rlim_cur));
  crowd clients;
  auto body = [](crowd& outside) -> coro<> {
    const auto shared = std::make_shared<crowd_count>();
    crowd_count& count = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    const std::uint16_t port = listening.local().port();
    auto owner = spawn<counting_host>(std::move(listening), shared);
    co_await turns();
    ::malloc_trim(0);  // what earlier tests have freed shall not serve this one
    const std::size_t before = resident();
    const std::size_t heap_before = ::mallinfo2().uordblks;
    outside.tell(port);
    const char first = co_await outside.word();
    CHECK(first == 'a');
    CHECK(count.open == crowd_size);
    const std::size_t after = resident();
    const std::size_t heap_after = ::mallinfo2().uordblks;
    outside.tell(0);
    const char second = co_await outside.word();
    CHECK(second == 'b');
    CHECK(count.most == crowd_size);
    std::printf(
        "memory per idle connection (session, connection, transport): %zu bytes resident, %zu of "
        "the heap\n",
        (after - std::min(after, before)) / crowd_size,
        (heap_after - std::min(heap_after, heap_before)) / crowd_size);
    outside.tell(0);
    co_await poll_until([&] { return count.open == 0; });
    owner.stop();
    co_await poll_until([&] { return owner.cell()->state() == internal::cell::life::dead; });
  };
  run_scenario(body(clients));
  CHECK(clients.wait() == 0);
}

// --- no descriptors left -------------------------------------------------------------------------------------------------------

TEST_CASE("without descriptors a listener says so once, pauses, and recovers by itself") {
  if (needs_descriptors_itself) {
    WARN("skipped: this build cannot do without descriptors");
    return;
  }
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    const io::endpoint where = listening.local();
    std::vector<peer> callers;
    for (int index = 0; index < 10; ++index) callers.push_back(connect_peer(where.port()));
    auto owner = spawn<host>(shared);
    {
      const descriptor_limit few(static_cast<rlim_t>(next_descriptor()) + 3);
      spawn<io::tcp_listener>(std::move(listening), owner);
      co_await poll_until([&] { return !reports.reports().empty(); });
      CHECK(all.count == 3);
      const duration before = processor_time();
      co_await sleep(500ms);  // it tries again several times
      CHECK(processor_time() - before < 250ms);
      CHECK(all.count == 3);
      CHECK(reports.reports().size() == 1);
      // A descriptor that becomes free is taken, and the rest goes on waiting; that is no new shortage.
      all.sockets.pop_back();
      co_await poll_until([&] { return all.count == 4; });
      co_await sleep(100ms);
      CHECK(reports.reports().size() == 1);
    }
    co_await poll_until([&] { return all.count == 10; });
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("the listener on " + where.text() +
                        " cannot accept connections and tries again soon") == 1);
    CHECK(reports.count("Too many open files") == 1);
    // Everything works again, and another shortage is said again.
    peer late = connect_peer(where.port());
    co_await poll_until([&] { return all.count == 11; });
    peer later[2] = {connect_peer(where.port()), connect_peer(where.port())};
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    co_await poll_until([&] { return reports.reports().size() == 2 || all.count == 13; });
    all.sockets.clear();
  };
  run_scenario(body(log), 1, &log);
}

TEST_CASE("a listener that is stopped while it pauses for descriptors is gone") {
  if (needs_descriptors_itself) {
    WARN("skipped: this build cannot do without descriptors");
    return;
  }
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    peer caller = connect_peer(listening.local().port());
    auto owner = spawn<host>(shared);
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    auto listener = spawn<io::tcp_listener>(std::move(listening), owner);
    co_await poll_until([&] { return !reports.reports().empty(); });
    listener.stop();
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    none.lift();
    co_await caller.receive_all();
    CHECK(caller.error() == ECONNRESET);
    co_await sleep(50ms);
    CHECK(all.count == 0);
  };
  run_scenario(body(log), 1, &log);
  CHECK(log.reports().size() == 1);
}

TEST_CASE(
    "a listener whose socket can accept no more says so and stops instead of trying for ever") {
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    const auto shared = std::make_shared<guests>();
    const int native = next_descriptor();
    io::listening_socket listening(io::endpoint::loopback(0));
    const io::endpoint where = listening.local();
    auto owner = spawn<host>(shared);
    auto listener = spawn<io::tcp_listener>(std::move(listening), owner);
    co_await turns();
    REQUIRE(::shutdown(native, SHUT_RDWR) == 0);  // behind its back
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("the listener on " + where.text() +
                        " can accept no more connections and stops") == 1);
    CHECK_FALSE(failure_of_listening(where).code());
  };
  run_scenario(body(log), 1, &log);
}
