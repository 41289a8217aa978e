// Owners that are restarted: the new object hears nothing of the actors that its predecessor had for sockets, files and processes.
#include <troupe/io/file_tail.hpp>
#include <troupe/io/subprocess_actor.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/io/udp_actor.hpp>

#include "scenarios/scratch.hpp"
#include "scenarios/support.hpp"

#include <memory>
#include <stdexcept>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
namespace udp = io::udp;

namespace {

struct crash {};

struct seen {
  std::string log;
  place children = place::here;
  std::uint16_t port = 0;
  int objects = 0;
  int own = 0;
  int strange = 0;
};

/// Has one of each.
class owner : public actor<protocol<crash, udp::received, udp::trouble, udp::closed, io::tail_data,
                                    io::tail_restarted, io::tail_ended, io::started, io::output,
                                    io::end_of_output, io::exited, io::finished, io::accepted>> {
 public:
  explicit owner(std::shared_ptr<seen> into) : into_(std::move(into)) {
    ++into_->objects;
    const place on = into_->children;
    udp_ = spawn<io::udp_actor>(io::udp_socket(io::endpoint::loopback(0)), self());
    tail_ = spawn<io::file_tail>(on, into_->log, self());
    const io::command sleeper("sleep", {"1000"}, {.output = io::stdio::pipe});
    child_ = spawn<io::subprocess_actor>(on, sleeper, self());
    io::listening_socket listening(io::endpoint::loopback(0));
    into_->port = listening.local().port();
    spawn<io::tcp_listener>(std::move(listening), self());
  }

  coro<> on(crash) {
    co_await sleep(50ms);  // a client comes meanwhile
    throw std::runtime_error("told to crash");
  }
  void on(udp::received r) { note(r.from == udp_); }
  void on(udp::trouble t) { note(t.from == udp_); }
  void on(udp::closed c) { note(c.from == udp_); }
  void on(io::tail_data d) { note(d.from == tail_); }
  void on(io::tail_restarted r) { note(r.from == tail_); }
  void on(io::tail_ended e) { note(e.from == tail_); }
  void on(io::started s) { note(s.from == child_); }
  void on(io::output o) { note(o.from == child_); }
  void on(io::end_of_output e) { note(e.from == child_); }
  void on(io::exited e) { note(e.from == child_); }
  void on(io::finished f) { note(f.from == child_); }
  void on(io::accepted a) { note(a.connected.local().port() == into_->port); }

 private:
  void note(bool mine) { ++(mine ? into_->own : into_->strange); }
  std::shared_ptr<seen> into_;
  actor_ref<udp::commands> udp_;
  actor_ref<io::tail> tail_;
  actor_ref<io::subprocess> child_;
};

class boss : public actor<protocol<crash>> {
 public:
  explicit boss(std::shared_ptr<seen> into) { owner_ = supervise<owner>({}, std::move(into)); }
  void on(crash c) { owner_.tell(c); }

 private:
  actor_ref<owner::protocol_type> owner_;
};

coro<> crash_twice(std::shared_ptr<seen> all) {
  auto top = spawn<boss>(all);
  for (int round = 1; round <= 2; ++round) {
    co_await poll_until([&] { return all->own == round; });  // that the child runs
    top.tell(crash{});
    co_await sleep(10ms);
    const peer client = connect_peer(all->port);
    co_await poll_until([&] { return all->objects == round + 1; });
  }
  co_await poll_until([&] { return all->own == 3; });
  CHECK(all->strange == 0);
}

void crash_with_children(place on, std::size_t threads) {
  scratch_folder folder;
  failure_log expected;
  const auto all = std::make_shared<seen>();
  all->log = folder.file("log");
  all->children = on;
  run_scenario(crash_twice(all), threads, &expected);
  CHECK(expected.count("told to crash") == 2);
}

}  // namespace

TEST_CASE("a restarted owner hears nothing of what its predecessor had outside") {
  crash_with_children(place::here, 1);
}

TEST_CASE("a restarted owner hears nothing of what its predecessor had on another loop") {
  crash_with_children(place::on(1), 2);
}
