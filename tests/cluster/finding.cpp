// How nodes find each other, and what is said when they do not.
#include "cluster/nodes.hpp"

#include <troupe/actors/cluster/wire.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/resolve.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/timeout.hpp>

#include <optional>
#include <system_error>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct ping {
  using reply = int;
};
using desk = protocol<ping>;
class clerk : public actor<desk> {
 public:
  explicit clerk(int number) : number_(number) {}
  int on(ping) { return number_; }

 private:
  int number_;
};

/// What a node of another version says first.
io::bytes of_another_version() {
  cluster::writer said;
  said.number(std::uint32_t{0x70757274});
  said.number(std::uint8_t{9});
  return said.take();
}

cluster::node_options open_at(std::string name, const char* address,
                              std::vector<io::endpoint> seeds = {}) {
  cluster::node_options made = at(std::move(name), address, std::move(seeds));
  made.insecure = true;
  return made;
}

}  // namespace

TEST_CASE("two nodes of one name are two members") {
  naturally([](simulation& world, network&) -> coro<> {
    two_nodes both(at("twin", "127.0.0.2"));
    cluster::node third(at("twin", "127.0.0.3", {io::endpoint("127.0.0.2", 7000)}));
    co_await world.advance(5s);
    const std::vector<cluster::node_info> seen = both.second.members();
    CHECK(seen.size() == 2);
    CHECK(seen.at(0).name == "twin");
    CHECK(seen.at(1).name == "twin");
    CHECK(seen.at(0).id != seen.at(1).id);
    for (cluster::node* const each : {&both.first, &third})
      each->publish("clerk", spawn<clerk>(each == &third ? 3 : 1));
    for (cluster::node* const each : {&both.first, &third}) {
      auto looked_up = both.second.lookup_on<desk>(each->info().id, "clerk");
      const actor_ref<desk> found = co_await std::move(looked_up);
      const int number = co_await found.ask(ping{});
      CHECK(number == (each == &third ? 3 : 1));
    }
  });
}

TEST_CASE("a node of another version of the protocol is turned away, and both sides can tell") {
  std::string told;
  naturally([&](simulation& world, network&) -> coro<> {
    expect_refusals(world, told);
    cluster::node here(at("here", "127.0.0.2"));
    io::stream other = co_await io::open_connection(io::endpoint("127.0.0.2", 7000));
    other.write(of_another_version());
    const io::bytes answer = co_await other.read_all();
    REQUIRE(answer.size() >= 5);
    CHECK(answer.text().starts_with("trup"));
    CHECK(static_cast<int>(answer.data()[4]) == 1);
    CHECK(here.members().empty());
  });
  CHECK_THAT(told, Catch::Contains("node 'here' has no connection with somebody at 127.0.0.1") &&
                       Catch::Contains("it speaks version 9 of the protocol, and this node "
                                       "version 1"));
}

TEST_CASE("who dials a node of another version says so once, not at each try") {
  std::string told;
  naturally([&](simulation& world, network&) -> coro<> {
    expect_refusals(world, told);
    int met = 0;
    io::server old = io::start_server(
        [&met](io::stream client) -> coro<> {
          ++met;
          client.write(of_another_version());
          const io::bytes heard = co_await client.read_all();
          CHECK(heard.text().starts_with("trup"));
        },
        io::endpoint("127.0.0.2", 7000));
    const cluster::node here(at("here", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    co_await world.advance(1min);
    CHECK(met > 5);
    CHECK_THAT(here.describe(),
               Catch::Contains("looks for 127.0.0.2:7000: ") && Catch::Contains("version 9"));
    old.close();
  });
  CHECK_THAT(told, Catch::Contains("has no connection with 127.0.0.2:7000"));
  CHECK(told.find("version 9") == told.rfind("version 9"));
}

TEST_CASE("a stranger who connects and goes is no failure of the node") {
  naturally([](simulation& world, network&) -> coro<> {
    two_nodes both;
    for (std::size_t size = 0; size < 40; size += 3) {
      io::stream stranger = co_await io::open_connection(io::endpoint("127.0.0.2", 7000));
      stranger.write(std::string("trup\1\x40\0\0\0", 9).substr(0, std::min<std::size_t>(size, 9)));
      stranger.close();
    }
    co_await world.advance(10s);
    CHECK(both.first.members().size() == 1);
  });
}

TEST_CASE("a seed that closes its door is asked again until it opens") {
  naturally([](simulation& world, network&) -> coro<> {
    io::server rude =
        io::start_server([](io::stream) -> coro<> { co_return; }, io::endpoint("127.0.0.2", 7000));
    const cluster::node here(at("here", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    co_await world.advance(10s);
    CHECK_THAT(here.describe(), Catch::Contains("looks for 127.0.0.2:7000: "));
    rude.close();
    co_await world.advance(1s);
    const cluster::node there(at("there", "127.0.0.2"));
    co_await world.advance(15s);
    CHECK(here.members().size() == 1);
    CHECK_THAT(here.describe(), !Catch::Contains("looks for"));
  });
}

TEST_CASE("a seed may be a name, which is looked up until it leads somewhere") {
  std::string told;
  naturally([&](simulation& world, network& net) -> coro<> {
    expect_refusals(world, told);
    const cluster::node first(at("first", "127.0.0.2"));
    const cluster::node other(at("other", "127.0.0.3"));
    cluster::node_options how = at("here", "127.0.0.1");
    how.named_seeds = {"cluster.test:7000"};
    const cluster::node here(how);
    co_await world.advance(30s);
    CHECK(here.members().empty());
    CHECK_THAT(here.describe(), Catch::Contains("looks for cluster.test:7000: "));
    net.name("cluster.test", {"127.0.0.2", "127.0.0.3"});
    co_await world.advance(30s);
    CHECK(here.members().size() == 2);
    CHECK(first.members().size() == 2);
  });
  CHECK_THAT(told, Catch::Contains("'here' has no connection with cluster.test:7000"));
  CHECK(told.find("cluster.test:7000") == told.rfind("cluster.test:7000"));
}

TEST_CASE("a name that leads to where others can listen in needs credentials as an address does") {
  std::string told;
  naturally([&](simulation& world, network& net) -> coro<> {
    expect_refusals(world, told);
    net.name("far.test", {"10.0.0.9"});
    cluster::node_options how = at("here", "127.0.0.1");
    how.named_seeds = {"far.test:7000"};
    const cluster::node here(how);
    co_await world.advance(1s);
    how.named_seeds = {"no port"};
    CHECK_THROWS_WITH(cluster::node(how), Catch::Contains("HOST:PORT, and not 'no port'"));
  });
  CHECK_THAT(told, Catch::Contains("connect to 10.0.0.9:7000") && Catch::Contains("credentials"));
}

TEST_CASE("a port that is taken is an error of the constructor") {
  naturally([](simulation&, network&) -> coro<> {
    const cluster::node first(at("first", "127.0.0.2"));
    CHECK_THROWS_WITH(cluster::node(at("second", "127.0.0.2")), Catch::Contains("127.0.0.2:7000"));
    co_return;
  });
}

TEST_CASE("a node that listens at all addresses is known by the one where it was seen") {
  const auto scenario = [](simulation& world) -> coro<> {
    network net(world);
    net.place(std::size_t{0}, "10.0.0.1");
    net.place(std::size_t{1}, "10.0.0.2");
    net.place(std::size_t{2}, "10.0.0.3");
    const std::vector<io::endpoint> seed{io::endpoint("10.0.0.1", 7000)};
    // One that does nothing but live on another loop.
    struct elsewhere : actor<protocol<>> {
      explicit elsewhere(cluster::node_options how) : node(std::move(how)) {}
      cluster::node node;
    };
    const cluster::node first(open_at("first", "0.0.0.0"));
    auto second = spawn<elsewhere>(place::on(1), open_at("second", "0.0.0.0", seed));
    auto third = spawn<elsewhere>(place::on(2), open_at("third", "0.0.0.0", seed));
    co_await world.advance(1min);
    std::vector<std::string> addresses;
    for (const cluster::node_info& each : first.members()) addresses.push_back(each.address);
    std::sort(addresses.begin(), addresses.end());
    expect(addresses == std::vector<std::string>{"10.0.0.2:7000", "10.0.0.3:7000"},
           first.describe());
    expect(net.traffic().connections == 3, "connections were made again");
    for (auto each : {second, third}) {
      auto over = each.stopped();
      each.stop();
      co_await over;
    }
  };
  first_come natural;
  simulation world(natural, {.threads = 3});
  world.run(scenario(world));
}

TEST_CASE(
    "an address of which others have told is given up in the end, and one's own seed is not") {
  naturally([](simulation& world, network& net) -> coro<> {
    cluster::node_options how = at("here", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)});
    how.forget = 1min;
    const cluster::node here(how);
    {
      const cluster::node seed(at("seed", "127.0.0.2"));
      std::vector<std::optional<cluster::node>> others(6);  // of which some are above, some below
      for (std::size_t each = 0; each < others.size(); ++each)
        others[each].emplace(at("other", ("127.0.0." + std::to_string(10 + each)).c_str(),
                                {io::endpoint("127.0.0.2", 7000)}));
      co_await world.advance(10s);
      CHECK(here.members().size() == 7);
    }
    co_await world.advance(30s);
    CHECK_THAT(here.describe(), Catch::Contains("looks for 127.0.0.1"));
    co_await world.advance(1min);
    CHECK_THAT(here.describe(), !Catch::Contains("looks for 127.0.0.1"));
    CHECK_THAT(here.describe(), Catch::Contains("looks for 127.0.0.2:7000: "));
    CHECK(net.traffic().connections > 0);
  });
}
