// Listening: ten thousand connections that are open at once.
#include <troupe/io/tcp.hpp>

#include "scenarios/descriptors.hpp"
#include "scenarios/echo.hpp"
#include "scenarios/support.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/wait.h>

#include <cstdint>
#include <cstdio>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

// --- ten thousand ------------------------------------------------------------------------------------------------------------

namespace {

/// Resident memory of this process in bytes.
std::size_t resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t pages = 0;
  file >> total >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

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

class counted_session : public echo {
 public:
  counted_session(io::socket connected, std::shared_ptr<crowd_count> count)
      : echo(std::move(connected), 4096), shared_(std::move(count)), count_(*shared_) {
    count_.most = std::max(count_.most, ++count_.open);
  }
  ~counted_session() { --count_.open; }

 private:
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
