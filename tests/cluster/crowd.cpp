#include "cluster/crowd_programs.hpp"

#include <troupe/runtime/timeout.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::clusters {

using namespace programs_of_a_crowd;

namespace {

/// All of it, as the scenario sees it.
class crowd {
 public:
  crowd(simulation& world, network& net, std::uint64_t seed, const crowd_options& how)
      : world_(world), net_(net), random_(seed), how_(how), programs_(how.nodes) {
    for (std::size_t each = 0; each < how_.nodes; ++each)
      net_.place(each + 1, address_of(each).address());
  }

  coro<> run() {
    for (std::size_t each = 0; each < how_.nodes; ++each) start(each);
    for (std::size_t each = 0; each < how_.events; ++each) {
      co_await sleep(1ms * random_.below(3'000));
      auto next = happen();
      co_await std::move(next);
      look();
    }
    net_.heal();
    net_.set_links(usual());
    for (const auto& [one, other] : slow_)
      net_.set_link(address_of(one).address(), address_of(other).address(), usual());
    for (std::size_t each = 0; each < how_.nodes; ++each) {
      if (programs_[each]) continue;
      net_.restart(address_of(each).address());
      start(each);
    }
    for (int left = 60; left != 0; --left) {
      co_await sleep(1s);
      look();
    }
    auto looking = look_in_peace();
    co_await std::move(looking);
    for (std::size_t each = 0; each < how_.nodes; ++each) {
      auto ending = end(each, false);
      co_await std::move(ending);
    }
    expect(book_.asks_ended == book_.counts.asks, "an ask has not ended");
  }

  const crowd_report& report() const noexcept { return book_.counts; }
  static link_options usual() { return {.latency = 1ms, .jitter = 5ms}; }

 private:
  void start(std::size_t program) {
    programs_[program] =
        spawn<host>(place::on(program + 1), std::ref(book_), how_, program, random_.next());
  }

  coro<> end(std::size_t program, bool killed) {
    const any_actor ending(std::exchange(programs_[program], {}));
    auto over = ending.stopped();
    killed ? ending.kill() : ending.stop();
    co_await over;
  }

  /// One of those that happen.
  coro<> happen() {
    const std::size_t one = random_.below(how_.nodes);
    const std::size_t other = random_.below(how_.nodes);
    const std::string first = address_of(one).address();
    const std::string second = address_of(other).address();
    switch (random_.below(14)) {
      case 0:
      case 1:  // killed: the system closes its connections
        if (!programs_[one]) co_return restart(one);
        ++book_.counts.crashes;
        net_.crash(first);
        co_return co_await end(one, true);
      case 2:  // the machine is gone: nothing is heard of it
        if (!programs_[one]) co_return restart(one);
        ++book_.counts.crashes;
        net_.isolate(first);
        co_return co_await end(one, true);
      case 3:  // it leaves
        if (!programs_[one]) co_return restart(one);
        co_return co_await end(one, false);
      case 4: {  // the same, and hands over before, if that can be
        if (!programs_[one]) co_return restart(one);
        auto leaving = timed_leave(programs_[one]);
        co_await std::move(leaving);
        co_return co_await end(one, false);
      }
      case 5:
      case 13:
        if (!programs_[one]) restart(one);
        co_return;
      case 6:
        if (one == other) co_return;
        ++book_.counts.partitions;
        co_return net_.partition(first, second);
      case 7: {  // in two
        ++book_.counts.partitions;
        const std::uint64_t side = random_.next();
        for (std::size_t left = 0; left < how_.nodes; ++left)
          for (std::size_t right = 0; right < left; ++right)
            if (((side >> left) & 1) != ((side >> right) & 1))
              net_.partition(address_of(left).address(), address_of(right).address());
        co_return;
      }
      case 8:
        co_return net_.heal();
      case 9:
        if (one == other) co_return;
        if (random_.below(2) == 0) co_return net_.reset(first, second);
        slow_.insert({one, other});
        co_return net_.set_link(first, second, {.latency = slowest / 2, .jitter = slowest / 2});
      case 10: {
        auto asking = ask<publish_one>(one);
        co_return co_await std::move(asking);
      }
      case 11: {
        auto asking = ask<unpublish_one>(one);
        co_return co_await std::move(asking);
      }
      default: {
        auto asking = ask<end_one>(one);
        co_return co_await std::move(asking);
      }
    }
  }

  static coro<> timed_leave(actor_ref<host_protocol> program) {
    try {
      co_await program.ask(leave_keys{}, slowest);
    } catch (const timeout_error&) {
    }
  }
  template <class M>
  coro<> ask(std::size_t program) {
    if (!programs_[program]) co_return;
    auto asked = programs_[program].ask(M{loose_names[random_.below(loose_names.size())]});
    co_await asked;
  }
  void restart(std::size_t program) {
    net_.restart(address_of(program).address());
    start(program);
  }

  /// What is to hold at any moment.
  void look() const {
    expect(book_.violated.empty(), book_.violated);
    const duration longest = how_.silence + how_.heartbeat + slowest;
    for (const auto& [program, each] : book_.hosts) {
      for (const cluster::node_info& member : each->its_node().members()) {
        const book::node_life& life = book_.nodes.at(member.id);
        expect(!life.ended || world_.time() - *life.ended <= longest,
               "a node that ended long ago is a member: " + each->its_node().describe());
      }
    }
  }

  /// What is to hold when nothing has happened for a while.
  coro<> look_in_peace() {
    std::set<cluster::node_id> all;
    for (const auto& [program, each] : book_.hosts) all.insert(each->its_node().info().id);
    expect(all.size() == how_.nodes, "not all programs run");
    for (const auto& [program, each] : book_.hosts) {
      std::set<cluster::node_id> seen{each->its_node().info().id};
      for (const cluster::node_info& member : each->its_node().members()) seen.insert(member.id);
      expect(seen == all, "not all are members: " + each->its_node().describe());
      seen.erase(each->its_node().info().id);
      expect(each->there() == seen, "who watches has heard of other members than there are");
    }
    for (std::size_t each = 0; each < how_.nodes; ++each) {
      for (const std::string& name : loose_names) {
        auto asked = programs_[each].ask(which_is{name});
        const std::uint64_t found = co_await asked;
        expect(found == leads_to(*book_.hosts.at(each), name),
               "'" + name + "' leads elsewhere: " + book_.hosts.at(each)->its_node().describe());
      }
    }
    auto looking = look_at_keys();
    co_await std::move(looking);
  }

  coro<> look_at_keys() {
    for (std::uint64_t key = 0; key < keys; ++key) {
      std::set<std::uint64_t> found;
      for (std::size_t each = 0; each < how_.nodes; ++each) {
        auto asked = programs_[each].ask(which_has{key});
        found.insert(co_await asked);
      }
      const std::vector<const host*> there = book_.having(key);
      std::string text = "key " + std::to_string(key) + " has " + std::to_string(there.size()) +
                         " actors, of which " + std::to_string(found.size()) + " are asked:";
      for (const host* each : there) text += "\n" + each->its_keys().describe();
      expect(found.size() == 1 && there.size() == 1, text);
    }
  }

  /// To the actor of one's own, or that of the node with the lowest number.
  std::uint64_t leads_to(const host& from, const std::string& name) const {
    if (const auto own = from.own().find(name); own != from.own().end()) return own->second;
    std::map<cluster::node_id, std::uint64_t> all;
    for (const auto& [program, each] : book_.hosts)
      if (const auto known = each->own().find(name); known != each->own().end())
        all[each->its_node().info().id] = known->second;
    return all.empty() ? 0 : all.begin()->second;
  }

  simulation& world_;
  network& net_;
  seeded random_;
  const crowd_options how_;
  book book_;
  std::vector<actor_ref<host_protocol>> programs_;
  std::set<std::pair<std::size_t, std::size_t>> slow_;
};

}  // namespace

std::string crowd_report::text() const {
  return std::to_string(crashes) + " crashes, " + std::to_string(partitions) + " partitions, " +
         std::to_string(members_lost) + " members lost, " + std::to_string(keys_begun) +
         " actors of keys, " + std::to_string(sessions) + " sessions, " + std::to_string(received) +
         " messages, " + std::to_string(asks_answered) + " of " + std::to_string(asks) +
         " asks answered";
}

crowd_report rage(std::uint64_t seed, const crowd_options& how) {
  random_walk chosen(seed);
  simulation world(chosen, {.threads = how.nodes + 1, .most_steps = 1'000'000'000});
  network net(world, {.link = crowd::usual(), .faults = how.faults});
  std::optional<crowd> all;
  world.run([](auto& made, auto&... with) -> coro<> {
    made.emplace(with...);
    auto running = made->run();
    co_await std::move(running);
  }(all, world, net, seed, how));
  return all->report();
}

}  // namespace troupe::testing::clusters
