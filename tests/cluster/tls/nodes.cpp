// Nodes that know each other by certificates, over the simulated network.
#include <troupe/actors/cluster/tls.hpp>
#include <troupe/runtime/timeout.hpp>

#include "cluster/nodes.hpp"
#include "support/tls/certificates.hpp"

#include <optional>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

const issued_certificate& authority() {
  static const issued_certificate made = issue({.name = "cluster", .authority = true});
  return made;
}

issued_certificate for_node(const issued_certificate& by, const char* host = "DNS:node.test",
                            long ends = 86400) {
  certificate_request wanted;
  wanted.name = "node";
  wanted.hosts = host;
  wanted.ends = ends;
  return issue(wanted, by);
}

cluster::credentials trusted(const issued_certificate& shown) {
  return {shown.identity(), authority().trusted(), "node.test"};
}

/// Whether two nodes come together, of which the second shows this: "together", or why not.
std::string meet(const std::optional<cluster::credentials>& second_shows) {
  std::string told;
  naturally([&](simulation& world, network&) -> coro<> {
    expect_refusals(world, told);
    cluster::node_options first = at("first", "127.0.0.2");
    trusted(for_node(authority())).secure(first);
    cluster::node here(first);
    cluster::node_options second = at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)});
    if (second_shows) second_shows->secure(second);
    cluster::node there(second);
    co_await world.advance(10s);
    CHECK(here.members().size() == there.members().size());
    if (here.members().size() == 1) told += "together";
  });
  return told;
}

}  // namespace

TEST_CASE("nodes with certificates of one authority come together, and no others do") {
  CHECK(meet(trusted(for_node(authority()))) == "together");
  CHECK_THAT(meet(std::nullopt),
             Catch::Contains("'first' has no connection with somebody at 127.0.0.1") &&
                 Catch::Contains("TLS server"));
  const issued_certificate other = issue({.name = "other", .authority = true});
  const issued_certificate strange = for_node(other);
  CHECK_THAT(meet(cluster::credentials(strange.identity(), authority().trusted(), "node.test")),
             Catch::Contains("'first' has no connection with somebody at 127.0.0.1") &&
                 Catch::Contains("an authority that is not trusted"));
  CHECK_THAT(meet(cluster::credentials(strange.identity(), other.trusted(), "node.test")),
             Catch::Contains("an authority that is not trusted"));
  CHECK_THAT(meet(trusted(for_node(authority(), "DNS:node.test", -60))),
             Catch::Contains("has expired"));
}

TEST_CASE("a node with another name than that of the cluster is not believed") {
  std::string told;
  naturally([&](simulation& world, network&) -> coro<> {
    expect_refusals(world, told);
    cluster::node_options first = at("first", "127.0.0.2");
    trusted(for_node(authority(), "DNS:other.test")).secure(first);
    cluster::node here(first);
    cluster::node_options second = at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)});
    trusted(for_node(authority())).secure(second);
    cluster::node there(second);
    co_await world.advance(10s);
    CHECK(there.members().empty());
  });
  CHECK_THAT(told, Catch::Contains("it is for other.test, and 'node.test' was meant"));
}

TEST_CASE("certificates are replaced while a node runs") {
  std::string told;
  naturally([&](simulation& world, network& net) -> coro<> {
    expect_refusals(world, told);
    const issued_certificate next = issue({.name = "next", .authority = true});
    cluster::node_options first = at("first", "127.0.0.2");
    cluster::credentials mine = trusted(for_node(authority()));
    mine.secure(first);
    cluster::node here(first);
    cluster::node_options second = at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)});
    const issued_certificate newer = for_node(next);
    cluster::credentials theirs(newer.identity(), next.trusted(), "node.test");
    theirs.secure(second);
    cluster::node there(second);
    co_await world.advance(10s);
    CHECK(here.members().empty());
    mine.replace(for_node(next).identity(), next.trusted());
    co_await world.advance(30s);
    CHECK(here.members().size() == 1);
    told.clear();
    net.reset("127.0.0.2");
    co_await world.advance(30s);
    CHECK(here.members().size() == 1);
  });
  CHECK(told.empty());
}

TEST_CASE("a node that others can reach is secure, or says that it is not") {
  naturally([&](simulation&, network& net) -> coro<> {
    net.place(std::size_t{0}, "10.0.0.1");
    CHECK_THROWS_AS(cluster::node(at("open", "10.0.0.1")), std::invalid_argument);
    CHECK_THROWS_AS(cluster::node(at("open", "127.0.0.1", {io::endpoint("10.0.0.2", 7000)})),
                    std::invalid_argument);
    cluster::node_options how = at("open", "10.0.0.1");
    how.insecure = true;
    const cluster::node open(how);
    CHECK(open.info().address == "10.0.0.1:7000");
    co_return;
  });
}
