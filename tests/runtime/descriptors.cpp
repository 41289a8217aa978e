// asyncio's rules for watched descriptors, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <optional>
#include <system_error>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Two ends of a connection.
class socket_pair {
 public:
  socket_pair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()) != 0) std::abort();
  }
  ~socket_pair() {
    close_mine();
    close_theirs();
  }
  socket_pair(const socket_pair&) = delete;
  socket_pair& operator=(const socket_pair&) = delete;

  int mine() const { return ends_[0]; }
  void send() const { CHECK(::write(ends_[1], "x", 1) == 1); }
  void receive() const {
    char got = 0;
    CHECK(::read(ends_[0], &got, 1) == 1);
  }
  void close_mine() { close(0); }
  void close_theirs() { close(1); }

 private:
  void close(std::size_t index) {
    if (ends_[index] >= 0) ::close(ends_[index]);
    ends_[index] = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

}  // namespace

TEST_CASE("a second reader takes the place of the first, and removing one leaves the writer",
          "[loop-17]") {
  socket_pair wire;
  journal log;
  manual_loop home;
  home->add_reader(wire.mine(), [&] { log.push_back("X"); });
  home->add_writer(wire.mine(), [&] { log.push_back("W"); });
  home->add_reader(wire.mine(), [&] { log.push_back("Y"); });
  wire.send();
  home.step();
  home.step();
  CHECK(std::count(log.begin(), log.end(), "X") == 0);
  CHECK(std::count(log.begin(), log.end(), "Y") >= 1);
  CHECK(std::count(log.begin(), log.end(), "W") >= 1);
  CHECK(home->remove_reader(wire.mine()));
  CHECK_FALSE(home->remove_reader(wire.mine()));
  log.clear();
  home.step();
  home.step();
  CHECK(std::count(log.begin(), log.end(), "Y") == 0);
  CHECK(std::count(log.begin(), log.end(), "W") >= 1);
  CHECK(home->remove_writer(wire.mine()));
  CHECK_FALSE(home->remove_writer(wire.mine()));
  log.clear();
  home.run_until_idle();
  CHECK(log.empty());
}

TEST_CASE("removing the writer leaves the reader", "[loop-17]") {
  socket_pair wire;
  journal log;
  manual_loop home;
  home->add_reader(wire.mine(), [&] {
    log.push_back("read");
    wire.receive();
  });
  home->add_writer(wire.mine(), [&] { log.push_back("write"); });
  CHECK(home->remove_writer(wire.mine()));
  wire.send();
  home.run_until_idle();
  CHECK(log == journal{"read"});
  home->remove_reader(wire.mine());
}

TEST_CASE("a closed loop has no watchers and takes none", "[loop-17]") {
  socket_pair wire;
  int alive = 0;
  const auto home = loop::open();
  home->add_reader(wire.mine(), [held = counted(alive)] { static_cast<void>(held); });
  CHECK(alive == 1);
  home->close();
  CHECK(alive == 0);
  CHECK_FALSE(home->remove_reader(wire.mine()));
  CHECK_FALSE(home->remove_writer(wire.mine()));
  CHECK_THROWS_AS(home->add_reader(wire.mine(), [] {}), invalid_state);
  CHECK_THROWS_AS(home->add_writer(wire.mine(), [] {}), invalid_state);
}

TEST_CASE("a reader is called as long as there is something to read", "[loop-17]") {
  socket_pair wire;
  int calls = 0;
  manual_loop home;
  for (int times = 0; times < 3; ++times) wire.send();
  home->add_reader(wire.mine(), [&] {
    ++calls;
    wire.receive();
  });
  for (int times = 0; times < 10; ++times) home.step();
  CHECK(calls == 3);
  home->remove_reader(wire.mine());
}

TEST_CASE("a reader may take itself away, or another that is about to be called", "[loop-17]") {
  socket_pair first;
  socket_pair second;
  journal log;
  manual_loop home;
  for (socket_pair* each : {&first, &second}) {
    home->add_reader(each->mine(), [&, held = std::string("a text longer than a small string")] {
      home->remove_reader(first.mine());
      home->remove_reader(second.mine());
      log.push_back(held.substr(0, 1));
    });
    each->send();
  }
  home.run_until_idle();
  home.run_until_idle();
  CHECK(log == journal{"a"});
}

TEST_CASE("a reader that was replaced after it was told is not called", "[loop-17]") {
  socket_pair wire;
  journal log;
  manual_loop home;
  wire.send();
  home->add_reader(wire.mine(), [&] { log.push_back("old"); });
  home->call_soon([&] {
    home->add_reader(wire.mine(), [&] {
      log.push_back("new");
      wire.receive();
    });
  });
  for (int times = 0; times < 4; ++times) home.step();
  CHECK(std::count(log.begin(), log.end(), "new") == 1);
  CHECK((log.empty() || log.back() == "new"));
  home->remove_reader(wire.mine());
}

TEST_CASE("a reader that throws is reported and stays", "[loop-17][report-01]") {
  socket_pair wire;
  failure_log reports;
  int calls = 0;
  manual_loop home(&reports);
  wire.send();
  home->add_reader(wire.mine(), [&] {
    if (++calls == 1) throw std::runtime_error("of a reader");
    wire.receive();
  });
  for (int times = 0; times < 5; ++times) home.step();
  CHECK(calls == 2);
  CHECK(reports.count("of a reader") == 1);
  home->remove_reader(wire.mine());
}

TEST_CASE("a reader is told that the other end is gone", "[loop-17]") {
  socket_pair wire;
  int calls = 0;
  manual_loop home;
  home->add_reader(wire.mine(), [&] {
    ++calls;
    home->remove_reader(wire.mine());
  });
  wire.close_theirs();
  home.run_until_idle();
  home.step();
  CHECK(calls == 1);
}

TEST_CASE("what cannot be watched is refused and leaves nothing", "[loop-17]") {
  manual_loop home;
  CHECK_THROWS_AS(home->add_reader(-1, [] {}), std::system_error);
  CHECK_FALSE(home->remove_reader(-1));
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  CHECK_THROWS_AS(home->add_reader(file, [] {}), std::system_error);
  CHECK_FALSE(home->remove_reader(file));
  ::close(file);
}

TEST_CASE("a descriptor that was closed while it is watched can be taken away", "[loop-17]") {
  socket_pair wire;
  manual_loop home;
  const int number = wire.mine();
  home->add_reader(number, [] {});
  home->add_writer(number, [] {});
  wire.close_mine();
  CHECK(home->remove_reader(number));
  home->remove_writer(number);
  home.run_until_idle();
  socket_pair next;  // has the number of the closed one, or not
  int calls = 0;
  next.send();
  home->add_reader(next.mine(), [&] {
    ++calls;
    next.receive();
  });
  home.run_until_idle();
  home.step();
  CHECK(calls == 1);
  home->remove_reader(next.mine());
}

TEST_CASE("a callback that asks for itself for ever starves neither timers nor descriptors",
          "[loop-21]") {
  socket_pair wire;
  journal log;
  const auto home = loop::open();
  std::function<void()> again = [&] { home->call_soon([&] { again(); }); };
  again();
  const auto over = [&](const char* what) {
    log.push_back(what);
    if (log.size() == 2) {
      again = [] {};
      home->stop();
    }
  };
  home->add_reader(wire.mine(), [&] {
    home->remove_reader(wire.mine());
    over("reader");
  });
  home->call_later(200us, [&] {
    wire.send();
    over("timer");
  });
  home->run_forever();
  CHECK(log == journal{"timer", "reader"});
}

TEST_CASE("a sleeping loop wakes for a descriptor", "[loop-21]") {
  socket_pair wire;
  const auto home = loop::open();
  int calls = 0;
  home->add_reader(wire.mine(), [&] {
    ++calls;
    home->stop();
  });
  std::thread sender([&] { wire.send(); });
  home->run_forever();
  sender.join();
  CHECK(calls >= 1);
}
