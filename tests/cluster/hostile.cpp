// Peers that send what no node would: the connection ends, the node lives on, and honest peers notice nothing.
#include <troupe/actors/cluster/internal/peer.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/runtime/timeout.hpp>

#include "cluster/nodes.hpp"
#include "support/random_numbers.hpp"

#include <system_error>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;
using cluster::internal::frame;

namespace {

struct add {
  using reply = int;
  int much = 0;
  std::vector<std::string> notes;
};
struct give {
  actor_ref<protocol<add>> whom;
};
using desk = protocol<add, give>;

class clerk : public actor<desk> {
 public:
  int on(add) { return ++calls_; }
  void on(give g) {
    if (g.whom) g.whom.tell(add{});
  }

 private:
  int calls_ = 0;
};

/// Frames as a node sends them.
class frames {
 public:
  void begin(frame what) {
    begin_ = out_.size();
    out_.number(std::uint32_t{0});
    out_.number(static_cast<std::uint8_t>(what));
  }
  void end() { out_.number_at(begin_, static_cast<std::uint32_t>(out_.size() - begin_ - 4)); }
  cluster::writer& out() { return out_; }
  io::bytes take() { return out_.take(); }

  void hello(std::uint64_t id) {
    chosen_again_ = id % 3;  // a number may come twice
    out_.number(std::uint32_t{0x70757274});
    out_.number(std::uint8_t{1});
    begin(frame::hello);
    out_.number(id);
    out_.number(std::uint64_t{0});
    out_.text("stranger");
    out_.text("");
    out_.number(std::uint64_t{1} << 20);
    end();
  }
  void type(std::uint64_t number, std::string_view name, std::string_view layout) {
    begin(frame::type);
    out_.count(number);
    out_.text(name);
    out_.text(layout);
    end();
  }
  /// A message to the first actor that the node has given away.
  void message(bool asked, std::uint64_t type_number, std::uint64_t ask = 7) {
    begin(asked ? frame::ask : frame::tell);
    out_.number(std::uint64_t{1});
    if (asked) out_.number(ask);
    out_.count(type_number);
    cluster::encode(out_, add{5, {"a", "b"}});
    end();
  }
  void number(frame what, std::uint64_t given) {
    begin(what);
    out_.number(given);
    end();
  }
  void all() {
    type(1, type_name<add>(), cluster::layout_text<add>());
    type(2, type_name<add>(), "(i4*si8)");
    type(3, type_name<give>(), "(R)");
    message(false, 1);
    message(true, 1);
    message(true, 2, 8);
    message(true, 1, 9 - chosen_again_);
    begin(frame::tell);
    out_.number(std::uint64_t{1});
    out_.count(3);
    out_.text(std::string("\1\1\0\0\0\0\0\0\0", 9));
    end();
    begin(frame::answer);
    out_.number(std::uint64_t{1});
    out_.count(1);
    out_.number(std::int32_t{3});
    end();
    begin(frame::failure);
    out_.number(std::uint64_t{1});
    out_.number(std::uint8_t{3});
    out_.text("no");
    end();
    begin(frame::ended);
    out_.number(std::uint64_t{1});
    out_.number(std::uint8_t{1});
    out_.text("");
    end();
    begin(frame::name);
    out_.text("another");
    out_.number(std::uint64_t{4});
    end();
    begin(frame::member);
    out_.number(std::uint64_t{1});
    out_.number(std::uint64_t{1});
    out_.text("127.0.0.9:7000");
    end();
    number(frame::withdraw, 7);
    begin(frame::release);
    out_.number(std::uint64_t{1});
    out_.number(std::uint64_t{1});
    end();
    number(frame::pause, 1);
    number(frame::resume, 1);
    begin(frame::beat);
    end();
  }

 private:
  cluster::writer out_;
  std::size_t begin_ = 0;
  std::uint64_t chosen_again_ = 0;
};

coro<> attack(io::endpoint where, std::uint64_t seed) {
  random_numbers chosen(seed);
  io::stream wire = co_await io::open_connection(where);
  frames mine;
  mine.hello(1'000'000 + seed);
  const std::size_t greeting = mine.out().size();
  mine.all();
  io::bytes all = mine.take();
  // Now and then in the greeting, else in what follows.
  const std::size_t from = chosen.below(5) == 0 ? 0 : greeting;
  for (std::size_t left = chosen.below(3) + 1; left != 0; --left)
    all.data()[from + chosen.below(all.size() - from)] = static_cast<std::byte>(chosen.next());
  try {
    wire.write(std::move(all));
    co_await wire.drain();
    auto reading = wire.read_all();
    co_await timeout(30s, std::move(reading));
  } catch (const std::system_error&) {
  } catch (const timeout_error&) {
  }
}

void attacks(std::uint64_t first, std::uint64_t count) {
  first_come natural;
  simulation world(natural, {.most_steps = 1'000'000'000});
  network net(world);
  world.expect_failures([](const failure_report& report) {
    return report.message.find("was refused") != std::string::npos ||
           report.message.find("is not understood") != std::string::npos ||
           report.message.find("has no connection with somebody") != std::string::npos;
  });
  world.run([](std::uint64_t begin, std::uint64_t many) -> coro<> {
    cluster::node_options how = at("first", "127.0.0.2");
    how.longest_message = 1 << 16;
    how.silence = 2s;
    cluster::node first_node(how);
    actor_ref<desk> there = spawn<clerk>();
    first_node.publish("clerk", there);
    auto ended = there.stopped();
    cluster::node second(at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    for (std::uint64_t seed = begin; seed < begin + many; seed += 10) {
      std::vector<task<>> all;
      for (std::uint64_t each = seed; each < seed + 10; ++each)
        all.push_back(create_task(attack(io::endpoint("127.0.0.2", 7000), each)));
      for (auto& each : all) co_await each;
      // Whoever is a member may stop an actor that he has a ref of: bytes that say so are no mistake.
      if (ended.done()) {
        there = spawn<clerk>();
        ended = there.stopped();
        first_node.publish("clerk", there);
        co_await sleep(1s);
      }
      auto looked_up = second.lookup<desk>("clerk");
      const auto far = co_await timeout(1min, std::move(looked_up));
      add one{1, {}};
      auto asked = far.ask(std::move(one));
      co_await asked;
    }
    there.stop();
    co_await there.stopped();
  }(first, count));
}

}  // namespace

TEST_CASE("a node lives on whatever a stranger sends, and serves others meanwhile") {
  attacks(1, 300);
}

/// Minutes: for who has changed something here. `test-cluster "[long]"`
TEST_CASE("a node lives on through a hundred thousand strangers", "[.][long]") {
  attacks(1'000, 100'000);
}
