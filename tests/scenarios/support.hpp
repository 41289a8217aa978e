// What the scenarios share: real sockets on the loopback, peers that can misbehave, owners that remember what they heard.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "support/catch.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace troupe::testing {

using namespace std::chrono_literals;

// --- running a scenario -----------------------------------------------------------------------------------------------

/// When a scenario has not ended by then it never will.
inline constexpr duration patience = 150s;

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const directory = ::opendir("/proc/self/fd");
  REQUIRE(directory != nullptr);
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

/// Waits until there are so many. UndefinedBehaviorSanitizer looks at memory through a pipe, also in a thread that ends, so there may be
/// more for a moment.
inline bool descriptors_come_to(std::size_t expected) {
  for (int tries = 0; tries < 10'000; ++tries) {
    if (open_descriptors() == expected) return true;
    ::usleep(1'000);
  }
  return false;
}

/// What they are, for the message of a test that found too many.
inline std::string names_of_descriptors() {
  std::string names;
  for (int number = 0; number < 1024; ++number) {
    char name[256];
    const std::string link = "/proc/self/fd/" + std::to_string(number);
    const ssize_t length = ::readlink(link.c_str(), name, sizeof name);
    if (length > 0)
      names +=
          std::to_string(number) + " " + std::string(name, static_cast<std::size_t>(length)) + "\n";
  }
  return names;
}

/// Processor time of the whole process.
inline duration processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

inline coro<> watch_for_the_end() {
  co_await sleep(patience);
  fail("a scenario did not end in time");
}

inline coro<> with_patience(coro<> body) {
  create_task(watch_for_the_end());
  co_await std::move(body);
}

/// Runs `body` in real time. Fails on reports that nobody expects and on descriptors that are left open.
inline void run_scenario(coro<> body, std::size_t threads = 1, failure_log* expected = nullptr) {
  const std::size_t before = open_descriptors();
  failure_log unexpected;
  run_options options;
  options.threads = threads;
  options.handle_interrupt = false;
  options.on_failure = (expected != nullptr ? *expected : unexpected).handler();
  troupe::run(with_patience(std::move(body)), std::move(options));
  CHECK(unexpected.text() == "");
  const bool closed = descriptors_come_to(before);
  INFO(names_of_descriptors());
  CHECK(closed);
}

/// Comes back when `holds()`. For what announces itself to nobody here; everything else is waited for by its event.
template <class Predicate>
coro<> poll_until(Predicate holds) {
  while (!holds()) co_await sleep(500us);
}

/// Lets the system and all actors do what they can do now.
inline coro<> turns(int count = 50) {
  for (int turn = 0; turn < count; ++turn) co_await sleep(0s);
}

// --- bytes ------------------------------------------------------------------------------------------------------------

/// Bytes that show any loss, doubling or change of order.
inline std::string pattern(std::size_t size, std::size_t offset = 0) {
  std::string text(size, '\0');
  for (std::size_t index = 0; index < size; ++index) {
    const std::size_t place = index + offset;
    text[index] = static_cast<char>((place * 131) ^ (place >> 8) ^ (place >> 16));
  }
  return text;
}

/// Compares without printing megabytes.
inline bool same(std::string_view one, std::string_view other) { return one == other; }

// --- raw sockets ------------------------------------------------------------------------------------------------------

/// The other end of a connection: a plain non-blocking socket that does what it is told, however rude.
class peer {
 public:
  peer() = default;
  explicit peer(io::descriptor connected) : socket_(std::move(connected)) {}

  int native() const noexcept { return socket_.get(); }
  /// Why receiving or sending ended before it should, if it did.
  int error() const noexcept { return error_; }
  bool at_end() const noexcept { return at_end_; }

  /// Sends what the system takes at once and says how much that was.
  std::size_t send_now(std::string_view text) {
    const ssize_t sent = ::send(native(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) error_ = errno;
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  /// Sends all of it, or up to an error.
  coro<> send(std::string text) {
    for (std::size_t done = 0; done < text.size() && error_ == 0;) {
      const std::size_t sent = send_now(std::string_view(text).substr(done));
      done += sent;
      if (sent == 0) co_await sleep(200us);
    }
  }
  /// Appends what is there, at most `most` bytes.
  std::size_t receive_now(std::string& into, std::size_t most = std::size_t{1} << 20) {
    std::string buffer(most, '\0');
    const ssize_t got = ::recv(native(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) at_end_ = true;
    if (got < 0 && errno != EAGAIN && errno != EINTR) error_ = errno;
    if (got <= 0) return 0;
    into.append(buffer, 0, static_cast<std::size_t>(got));
    return static_cast<std::size_t>(got);
  }
  /// Receives `size` bytes, or fewer when the end or an error comes first.
  coro<std::string> receive(std::size_t size) {
    std::string text;
    while (text.size() < size && !at_end_ && error_ == 0) {
      if (receive_now(text, std::min(size - text.size(), std::size_t{1} << 20)) == 0)
        co_await sleep(200us);
    }
    co_return text;
  }
  coro<std::string> receive_all() {
    std::string text;
    while (!at_end_ && error_ == 0) {
      if (receive_now(text) == 0) co_await sleep(200us);
    }
    co_return text;
  }
  /// Bytes that have arrived and were not received.
  std::size_t waiting() const {
    int count = 0;
    REQUIRE(::ioctl(native(), FIONREAD, &count) == 0);
    return static_cast<std::size_t>(count);
  }

  void end_sending() { REQUIRE(::shutdown(native(), SHUT_WR) == 0); }
  void close() { socket_.close(); }
  void reset() {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(native(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    socket_.close();
  }

 private:
  io::descriptor socket_;
  int error_ = 0;
  bool at_end_ = false;
};

inline void set_buffer(int socket, int which, int bytes) {
  REQUIRE(::setsockopt(socket, SOL_SOCKET, which, &bytes, sizeof bytes) == 0);
}

/// Bytes that the system has taken from a socket's owner and the peer's system has not confirmed.
inline std::size_t unsent(int socket) {
  int count = 0;
  REQUIRE(::ioctl(socket, SIOCOUTQ, &count) == 0);
  return static_cast<std::size_t>(count);
}

inline sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A peer connected to a port of the loopback. On the loopback connecting never waits, unless the backlog is full.
inline peer connect_peer(std::uint16_t port, int receive_buffer = 0) {
  io::descriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(made);
  if (receive_buffer != 0) set_buffer(made.get(), SO_RCVBUF, receive_buffer);
  const sockaddr_in address = loopback_address(port);
  const int result =
      ::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  INFO("connect: " << std::generic_category().message(result == 0 ? 0 : errno));
  REQUIRE(result == 0);
  return peer(std::move(made));
}

inline bool has_ipv6() {
  const io::descriptor probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return probe &&
         ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// A port of the loopback that is taken and where nobody listens.
class deaf_port {
 public:
  deaf_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback_address(0);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const noexcept { return port_; }

 private:
  io::descriptor socket_;
  std::uint16_t port_ = 0;
};

/// Both ends of a connection that no actor owns yet.
struct wire {
  io::socket ours;
  peer theirs;
};

inline wire make_wire(int receive_buffer = 0, int send_buffer = 0,
                      const io::endpoint& where = io::endpoint::loopback(0)) {
  io::listening_socket listening(where);
  const std::uint16_t port = listening.local().port();
  const io::descriptor listener = listening.release();
  io::descriptor connected;
  if (where.is_ipv6()) {
    connected = io::descriptor(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr = in6addr_loopback;
    REQUIRE(::connect(connected.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof address) == 0);
  }
  peer theirs = where.is_ipv6() ? peer(std::move(connected)) : connect_peer(port, receive_buffer);
  io::descriptor accepted;
  while (!accepted)
    accepted =
        io::descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (receive_buffer != 0) set_buffer(accepted.get(), SO_RCVBUF, receive_buffer);
  if (send_buffer != 0) {
    set_buffer(accepted.get(), SO_SNDBUF, send_buffer);
    set_buffer(theirs.native(), SO_SNDBUF, send_buffer);
  }
  return {io::socket(std::move(accepted), io::endpoint::loopback(0)), std::move(theirs)};
}

/// Small buffers in the system, so that a backlog comes soon.
inline wire narrow_wire() { return make_wire(16 << 10, 16 << 10); }

// --- owners -----------------------------------------------------------------------------------------------------------

using connection_ref = actor_ref<io::connection>;

/// What an owner heard of its connections, for the test's coroutine to wait for. On one loop with whoever waits.
struct history {
  std::string received;
  std::size_t chunks = 0;
  std::size_t largest_chunk = 0;
  std::size_t ends = 0;
  std::size_t flushed = 0;  ///< sum of `drained`
  std::size_t closings = 0;
  std::error_code reason;  ///< of the last `closed`
  std::string order;       ///< one letter per event: d, e, f(lushed), c
  std::vector<connection_ref> from;
  std::function<void(std::size_t)> on_data;  ///< told the size of each chunk, after it was noted

  void note(char event, connection_ref sender) {
    order += event;
    if (from.empty() || !(from.back() == sender)) from.push_back(std::move(sender));
    if (std::optional<promise<int>> waiter = std::exchange(changed_, std::nullopt))
      waiter->set_value(0);
  }

  template <class Predicate>
  coro<> until(Predicate holds) {
    while (!holds()) {
      changed_.emplace();
      const future<int> change = changed_->get_future();
      co_await change;
    }
  }
  coro<> until_received(std::size_t size) {
    return until([this, size] { return received.size() >= size || closings != 0; });
  }
  coro<> until_end() {
    return until([this] { return ends != 0 || closings != 0; });
  }
  coro<> until_closed(std::size_t count = 1) {
    return until([this, count] { return closings >= count; });
  }

 private:
  std::optional<promise<int>> changed_;
};

/// Waits for `closed`; whatever is still under way has had its chance to say `closed` a second time.
inline coro<> see_the_end(history& pages) {
  co_await pages.until_closed();
  co_await turns();
}

/// An owner that does nothing but remember. Actors outlive the coroutine of the test, so what they write to is shared.
class recorder : public actor<io::connection_events> {
 public:
  explicit recorder(std::shared_ptr<history> pages) : shared_(std::move(pages)), pages_(*shared_) {}
  void on(io::data d) {
    pages_.received += d.chunk.text();
    ++pages_.chunks;
    pages_.largest_chunk = std::max(pages_.largest_chunk, d.chunk.size());
    pages_.note('d', d.from);
    if (pages_.on_data) pages_.on_data(d.chunk.size());
  }
  void on(io::end_of_data e) {
    ++pages_.ends;
    pages_.note('e', e.from);
  }
  void on(io::drained d) {
    pages_.flushed += d.bytes;
    pages_.note('f', d.from);
  }
  void on(io::closed c) {
    ++pages_.closings;
    pages_.reason = c.reason;
    pages_.note('c', c.from);
  }

 private:
  std::shared_ptr<history> shared_;
  history& pages_;
};

/// A connection whose owner remembers, and its peer.
struct scene {
  explicit scene(io::connection_options options = {}, wire ends = make_wire())
      : theirs(std::move(ends.theirs)),
        native(ends.ours.native()),
        owner(spawn<recorder>(shared)),
        connection(spawn<io::tcp_connection>(std::move(ends.ours), owner, options)) {}
  scene(const scene&) = delete;
  scene& operator=(const scene&) = delete;
  ~scene() { pages.on_data = nullptr; }

  std::shared_ptr<history> shared = std::make_shared<history>();
  history& pages = *shared;
  peer theirs;
  int native;  ///< the connection's descriptor, while it is open
  actor_ref<io::connection_events> owner;
  connection_ref connection;
};

inline io::write text(std::string_view content) { return io::write(io::bytes(content)); }

/// How an answer ended: without error, with the code of a std::system_error, or with what else was thrown, in words.
struct answered {
  bool ok = false;
  std::error_code code;
  std::string what;
};
inline coro<answered> ending(future<void> answer) {
  answered result;
  try {
    co_await answer;
    result.ok = true;
  } catch (const std::system_error& error) {
    result.code = error.code();
    result.what = error.what();
  } catch (const actor_dead& error) {
    result.what = std::string("actor_dead: ") + error.what();
  } catch (const std::exception& error) {
    result.what = error.what();
  }
  co_return result;
}

}  // namespace troupe::testing
