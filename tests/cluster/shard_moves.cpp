// Shards whose nodes come, leave, are killed and are parted, in hundreds of orders: of a key there is one actor.
#include "cluster/shards.hpp"

#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/timeout.hpp>

#include <exception>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::shards;

namespace {

/// Machines with a loop each, and who asks on loop 0. What is to be done on one goes there.
class machines {
 public:
  machines(simulation& world, network& net, int count, cluster::shard_options how = quick())
      : how_(how),
        all_(std::make_shared<world_of_keys>("10.0.0.")),
        slots_(static_cast<std::size_t>(count)) {
    net.place(std::size_t{0}, "10.0.0.100");
    for (int each = 1; each <= count; ++each)
      net.place(static_cast<std::size_t>(each), "10.0.0." + std::to_string(each));
    world.always([all = all_] { expect(all->violated.empty(), all->violated); });
    cluster::node_options asking = at("asking", "10.0.0.100", seeds());
    asking.insecure = true;
    asking.slowest_retry = 500ms;
    asking_.emplace(asking);
    keys_.emplace(*asking_, "keys", how);
  }

  std::size_t count() const { return slots_.size(); }
  bool is_up(std::size_t machine) const { return slots_[machine].now != nullptr; }
  std::size_t up() const {
    std::size_t sum = 0;
    for (const slot& each : slots_) sum += each.now != nullptr ? 1 : 0;
    return sum;
  }
  coro<> start(std::size_t machine) { return there(machine, &machines::start_here); }
  coro<> kill(std::size_t machine) { return there(machine, &machines::kill_here); }
  /// Has its keys move first.
  coro<> leave(std::size_t machine) { return there(machine, &machines::leave_here); }
  /// It is killed when it has begun to leave so long ago.
  coro<> kill_as_it_leaves(std::size_t machine, duration after) {
    auto body = kill_as_it_leaves_here(machine, after);
    co_await troupe::on(runtime::current()->loop_at(machine + 1), std::move(body));
  }
  coro<> end(simulation& world) {
    for (std::size_t each = 0; each < count(); ++each)
      if (is_up(each)) co_await kill(each);
    keys_.reset();
    asking_.reset();
    co_await world.advance(15s);
  }

  const cluster::shard_client<std::string, counting>& keys() const { return *keys_; }
  const place_of& on(std::size_t machine) const { return *slots_[machine].now; }
  const world_of_keys& all() const noexcept { return *all_; }
  std::string describe() const {
    std::string text = keys_->describe();
    for (const slot& each : slots_)
      if (each.now != nullptr)
        text += "\n" + each.now->name() + " " + each.now->id().text() + " " +
                each.now->keys().describe();
    return text;
  }

 private:
  struct slot {
    place_of* now = nullptr;
    std::vector<std::unique_ptr<place_of>> before;  // their actors may look at them
  };

  std::vector<io::endpoint> seeds() const {
    std::vector<io::endpoint> made;
    for (std::size_t each = 1; each <= slots_.size(); ++each)
      made.emplace_back("10.0.0." + std::to_string(each), 7000);
    return made;
  }
  coro<> there(std::size_t machine, coro<> (machines::*what)(std::size_t)) {
    auto body = (this->*what)(machine);
    co_await troupe::on(runtime::current()->loop_at(machine + 1), std::move(body));
  }
  coro<> start_here(std::size_t machine) {
    std::vector<int> seeds;
    for (std::size_t each = 0; each < count(); ++each) seeds.push_back(static_cast<int>(each) + 1);
    slot& here = slots_[machine];
    here.before.push_back(
        std::make_unique<place_of>(*all_, static_cast<int>(machine) + 1, how_, seeds));
    here.now = here.before.back().get();
    co_return;
  }
  coro<> kill_here(std::size_t machine) {
    std::exchange(slots_[machine].now, nullptr)->crash();
    co_return;
  }
  coro<> leave_here(std::size_t machine) {
    auto leaving = slots_[machine].now->keys().leave();
    co_await std::move(leaving);
    std::exchange(slots_[machine].now, nullptr)->crash();
  }

  coro<> kill_as_it_leaves_here(std::size_t machine, duration after) {
    auto leaving = create_task(slots_[machine].now->keys().leave());
    co_await sleep(after);
    std::exchange(slots_[machine].now, nullptr)->crash();
    try {
      co_await leaving;
    } catch (const ask_error&) {
    }
  }

  cluster::shard_options how_;
  std::shared_ptr<world_of_keys> all_;  ///< looked at until the simulation ends
  std::vector<slot> slots_;
  std::optional<cluster::node> asking_;
  std::optional<cluster::shard_client<std::string, counting>> keys_;
};

constexpr int key_count = 6;

/// Goes on until it is told to stop: counts, and notes in order.
struct load {
  explicit load(const machines& nodes) : keys(nodes.keys()) {}
  coro<> run() {
    while (!over) {
      const int each = next++ % key_count;
      keys.tell(key(each), note{noted[each]++});
      auto asked = keys.ask(key(each), add{1}, 60s);
      try {
        co_await asked;
        ++done[each];
      } catch (const ask_error& error) {
        ++failed;
        why = error.text();
      } catch (const cluster::remote_error& error) {
        ++failed;
        why = error.what();
      } catch (const rejected& error) {
        ++failed;
        why = error.what();
      }
      co_await sleep(7ms);
    }
  }
  const cluster::shard_client<std::string, counting>& keys;
  bool over = false;
  int next = 0;
  int failed = 0;
  std::string why;
  int done[key_count] = {};
  int noted[key_count] = {};
};

/// Each key has one actor, that answers.
coro<> expect_all_answer(const machines& nodes) {
  for (int each = 0; each < key_count; ++each) {
    auto asked = nodes.keys().ask(key(each), where{}, 60s);
    const std::string there = co_await asked;
    expect(nodes.all().alive(key(each)) == 1, std::to_string(nodes.all().alive(key(each))) +
                                                  " actors of a key, one of them on " + there +
                                                  "\n" + nodes.describe());
  }
}

using scenario = coro<> (*)(simulation& world, network& net, machines& nodes);

/// Whatever comes of it, the nodes end where they were made.
coro<> with_machines(simulation& world, network_options how, int count, scenario run) {
  network net(world, how);
  machines nodes(world, net, count);
  std::exception_ptr failed;
  try {
    co_await run(world, net, nodes);
  } catch (...) {
    failed = std::current_exception();
  }
  net.heal();
  co_await nodes.end(world);
  if (failed) std::rethrow_exception(failed);
}

coro<> come_and_leave(simulation& world, network&, machines& nodes) {
  co_await nodes.start(0);
  co_await sleep(1s);
  load all(nodes);
  auto running = create_task(all.run());
  for (int step = 0; step < 8; ++step) {
    const std::size_t which = world.choose(3);
    if (!nodes.is_up(which)) {
      co_await nodes.start(which);
    } else if (nodes.on(which).keys().hosts().size() > 1) {
      co_await nodes.leave(which);
    }
    co_await sleep(world.choose(3) * 300ms);
  }
  all.over = true;
  co_await running;
  expect(all.failed == 0, std::to_string(all.failed) + " asks failed, the last with " + all.why);
  for (int each = 0; each < key_count; ++each) {
    auto asked = nodes.keys().ask(key(each), add{0}, 60s);
    const int sum = co_await asked;
    expect(sum == all.done[each], key(each) + " counted to " + std::to_string(sum) +
                                      " and not to " + std::to_string(all.done[each]));
    auto heard = nodes.keys().ask(key(each), notes{}, 60s);
    const std::vector<int> numbers = co_await heard;
    expect(static_cast<int>(numbers.size()) == all.noted[each], "a note was lost");
    expect(std::is_sorted(numbers.begin(), numbers.end()), "a note has overtaken another");
  }
  co_await expect_all_answer(nodes);
}

coro<> storm(simulation& world, network& net, machines& nodes) {
  for (std::size_t each = 0; each < 3; ++each) co_await nodes.start(each);
  co_await sleep(1s);
  load all(nodes);
  auto running = create_task(all.run());
  for (int step = 0; step < 12; ++step) {
    const std::size_t which = world.choose(4);
    const std::string address = "10.0.0." + std::to_string(which + 1);
    switch (world.choose(5)) {
      case 0:
        if (nodes.is_up(which)) co_await nodes.kill(which);
        break;
      case 1:
        if (!nodes.is_up(which)) co_await nodes.start(which);
        break;
      case 2:
        net.reset(address);
        break;
      case 3:
        for (std::size_t each = 1; each <= nodes.count(); ++each)
          if (world.choose(2) != 0 && each != which + 1)
            net.partition(address, "10.0.0." + std::to_string(each));
        break;
      default:
        net.heal();
    }
    co_await sleep(world.choose(4) * 2s);
  }
  net.heal();
  for (std::size_t each = 0; each < nodes.count(); ++each)
    if (!nodes.is_up(each)) co_await nodes.start(each);
  co_await sleep(60s);
  all.over = true;
  co_await running;
  co_await expect_all_answer(nodes);
}

coro<> killed_as_they_leave(simulation& world, network&, machines& nodes) {
  for (std::size_t each = 0; each < 3; ++each) co_await nodes.start(each);
  co_await sleep(2s);
  load all(nodes);
  auto running = create_task(all.run());
  for (int step = 0; step < 6; ++step) {
    const std::size_t which = world.choose(3);
    co_await nodes.kill_as_it_leaves(which, world.choose(12) * 400us);
    co_await sleep(500ms);
    co_await nodes.start(which);
    co_await sleep(world.choose(3) * 200ms);
  }
  co_await sleep(10s);
  all.over = true;
  co_await running;
  co_await expect_all_answer(nodes);
  expect(nodes.keys().hosts().size() == 3, nodes.describe());
}

std::size_t active_of(const machines& nodes) {
  std::size_t sum = 0;
  for (std::size_t each = 0; each < nodes.count(); ++each) sum += nodes.on(each).keys().active();
  return sum;
}

coro<> two_sides(simulation&, network& net, machines& nodes) {
  for (std::size_t each = 0; each < 4; ++each) co_await nodes.start(each);
  co_await sleep(5s);
  for (const char* const one : {"10.0.0.1", "10.0.0.2", "10.0.0.100"})
    for (const char* const other : {"10.0.0.3", "10.0.0.4"}) net.partition(one, other);
  co_await sleep(15s);
  expect(nodes.keys().hosts().size() == 2, "it still sees the other side");
  for (int each = 0; each < key_count; ++each) {
    auto asked = nodes.keys().ask(key(each), add{1});
    co_await asked;
  }
  expect(active_of(nodes) == 32, "each side has all of it: " + nodes.describe());
  net.heal();
  co_await sleep(30s);
  expect(active_of(nodes) == 16, "one side has each: " + nodes.describe());
  co_await expect_all_answer(nodes);
}

void explore_machines(std::size_t schedules, const network_options& how, int count, scenario run,
                      std::uint64_t seed = 1) {
  explore_options tried;
  tried.schedules = schedules;
  tried.seed = seed;
  tried.threads = static_cast<std::size_t>(count) + 1;
  tried.most_steps = 20'000'000;
  tried.shrink_runs = 50;
  // Parted for as long as it may take, or killed.
  tried.expects = [run](const failure_report& report) {
    return run != &come_and_leave &&
           report.message.find("could not hand over") != std::string::npos;
  };
  explore(tried, [&](simulation& world) { return with_machines(world, how, count, run); });
}

const network_options calm{.link = {.latency = 500us, .jitter = 1ms}};
const network_options rough{.link = {.latency = 500us, .jitter = 2ms}, .faults = 2};

}  // namespace

TEST_CASE(
    "while nodes come and leave no message to a key is lost, none overtakes another, and each key "
    "goes on with what it had") {
  explore_machines(100, calm, 3, &come_and_leave);
}

TEST_CASE(
    "whatever becomes of nodes and the network, no two actors of a key are on nodes that know each "
    "other, each ask ends, and in the end each key has one") {
  explore_machines(10, rough, 4, &storm);
}

TEST_CASE("nodes may be killed in the midst of a hand-over: the keys are there again") {
  explore_machines(20, calm, 3, &killed_as_they_leave);
}

TEST_CASE(
    "two sides of a cluster that are parted go on, and when they meet again one actor stays") {
  explore_machines(20, calm, 4, &two_sides);
}

// Minutes: for who has changed something here. `test-cluster "[long]"`

TEST_CASE("thousands of orders in which nodes come and leave", "[.][long]") {
  explore_machines(5'000, calm, 3, &come_and_leave, 2);
}
TEST_CASE("thousands of orders in which nodes are killed and parted", "[.][long]") {
  explore_machines(2'000, rough, 4, &storm, 2);
}
TEST_CASE("thousands of orders in which nodes are killed as they leave", "[.][long]") {
  explore_machines(3'000, calm, 3, &killed_as_they_leave, 2);
}
TEST_CASE("a thousand orders in which two sides meet again", "[.][long]") {
  explore_machines(1'000, calm, 4, &two_sides, 2);
}
