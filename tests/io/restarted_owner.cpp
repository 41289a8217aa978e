// An owner of connections that is restarted: the new object hears nothing of what its predecessor had. On virtual time, over memory; of other
// actors in tests/scenarios/restarted_owner.cpp.
#include <troupe/actors/actor.hpp>
#include <troupe/io/connection.hpp>
#include <troupe/io/framed_connection.hpp>
#include <troupe/io/lines.hpp>
#include <troupe/io/memory.hpp>

#include "io/connections.hpp"
#include "support/catch.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

using lines = io::frames<std::string>;
struct crash {};

struct seen {
  std::vector<io::stream> peers;  ///< two of each object of the owner
  int own = 0;                    ///< events of connections that the object has spawned
  int strange = 0;                ///< of others
};

/// Has a connection of bytes and one of lines, and takes its time to crash.
class keeper
    : public actor<protocol<crash, io::data, io::end_of_data, io::drained, io::closed, lines::frame,
                            lines::malformed, lines::end_of_data, lines::drained, lines::closed>> {
 public:
  explicit keeper(std::shared_ptr<seen> into) : into_(std::move(into)) {
    auto first = io::memory_transports();
    auto second = io::memory_transports();
    into_->peers.emplace_back(std::move(first.second));
    into_->peers.emplace_back(std::move(second.second));
    bytes_ = spawn<io::stream_connection>(std::move(first.first), self());
    lines_ = spawn<io::framed_connection<io::lines>>(std::move(second.first), self());
    bytes_.tell(io::demand{1000});
    lines_.tell(lines::demand{1000});
  }

  coro<> on(crash) {
    co_await sleep(1s);
    throw std::runtime_error("told to crash");
  }
  void on(io::data d) { note(d.from); }
  void on(io::end_of_data d) { note(d.from); }
  void on(io::drained d) { note(d.from); }
  void on(io::closed c) { note(c.from); }
  void on(lines::frame f) { note(f.from); }
  void on(lines::malformed m) { note(m.from); }
  void on(lines::end_of_data e) { note(e.from); }
  void on(lines::drained d) { note(d.from); }
  void on(lines::closed c) { note(c.from); }

 private:
  template <class Ref>
  void note(const Ref& from) {
    ++(any_actor(from) == any_actor(bytes_) || any_actor(from) == any_actor(lines_)
           ? into_->own
           : into_->strange);
  }
  std::shared_ptr<seen> into_;
  actor_ref<io::connection> bytes_;
  actor_ref<lines::connection> lines_;
};

class boss : public actor<protocol<crash>> {
 public:
  explicit boss(std::shared_ptr<seen> into) { keeper_ = supervise<keeper>({}, std::move(into)); }
  void on(crash c) { keeper_.tell(c); }

 private:
  actor_ref<keeper::protocol_type> keeper_;
};

}  // namespace

TEST_CASE("a restarted owner hears nothing of its predecessor's connections, but of its own") {
  failure_log expected;
  testing::run(
      []() -> coro<> {
        const auto all = std::make_shared<seen>();
        auto top = spawn<boss>(all);
        for (int round = 1; round <= 3; ++round) {
          all->peers[all->peers.size() - 2].write("bytes");
          all->peers.back().write("a line\n");
          co_await sleep(100ms);
          CHECK(all->own == 2 * round);
          top.tell(crash{});
          co_await sleep(100ms);
          // These lie in the mailbox when the owner crashes; and then each connection says its last word.
          all->peers[all->peers.size() - 2].write("more");
          all->peers.back().write("another\n");
          co_await sleep(10s);
          CHECK(all->peers.size() == static_cast<std::size_t>(2 * (round + 1)));
          CHECK(all->strange == 0);
          CHECK(all->own == 2 * round);
        }
      }(),
      &expected);
  CHECK(expected.count("told to crash") == 3);
}

namespace {

/// Is told of a connection that belongs to another actor.
class listener : public actor<protocol<crash, io::data, io::end_of_data, io::drained, io::closed>> {
 public:
  explicit listener(std::shared_ptr<int> heard) : heard_(std::move(heard)) {}
  void on(crash) { throw std::runtime_error("told to crash"); }
  void on(io::data) { ++*heard_; }
  void on(io::end_of_data) {}
  void on(io::drained) {}
  void on(io::closed) { ++*heard_; }

 private:
  std::shared_ptr<int> heard_;
};

/// Has a connection that outlives the objects of whom it tells.
class host : public actor<protocol<crash>> {
 public:
  host(std::shared_ptr<int> heard, std::unique_ptr<io::transport> wire) {
    listener_ = supervise<listener>({}, std::move(heard));
    spawn<io::stream_connection>(std::move(wire), listener_).tell(io::demand{1000});
  }
  void on(crash c) { listener_.tell(c); }

 private:
  actor_ref<listener::protocol_type> listener_;
};

}  // namespace

TEST_CASE("a connection that is no child of its owner tells the next object of it too") {
  failure_log expected;
  testing::run(
      []() -> coro<> {
        auto both = io::memory_transports();
        io::stream peer(std::move(both.second));
        const auto heard = std::make_shared<int>();
        auto top = spawn<host>(heard, std::move(both.first));
        co_await sleep(1s);
        top.tell(crash{});
        peer.write("while it is down");
        co_await sleep(10s);
        CHECK(*heard == 1);
        peer.abort();
        co_await sleep(1s);
        CHECK(*heard == 2);
      }(),
      &expected);
}
