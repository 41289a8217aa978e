// Nodes that know each other by certificates, over real sockets, and those who have others.
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/cluster/tls.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/programs.hpp"
#include "scenarios/scratch.hpp"
#include "scenarios/support.hpp"
#include "support/tls/certificates.hpp"

#include <optional>
#include <string>
#include <system_error>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct count {
  using reply = int;
};
class counting : public actor<protocol<count>> {
 public:
  int on(count) { return ++sum_; }

 private:
  int sum_ = 0;
};

cluster::node_options secure(std::string name, const cluster::credentials& shown,
                             std::vector<io::endpoint> seeds = {}) {
  cluster::node_options made;
  made.name = std::move(name);
  made.listen = io::endpoint::loopback(0);
  made.seeds = std::move(seeds);
  made.retry = 10ms;
  made.slowest_retry = 100ms;
  shown.secure(made);
  return made;
}

io::endpoint address_of(const cluster::node& node) {
  return io::endpoint::parse(node.info().address);
}

cluster::credentials from_files(const scratch_folder& folder, const std::string& node) {
  return {
      {io::pem::file(folder.file(node + ".pem")), io::pem::file(folder.file(node + "-key.pem"))},
      io::pem::file(folder.file("ca.pem")),
      "node.shop.test"};
}

/// Has one made by the script; what it says.
coro<std::string> dev_ca(std::vector<std::string> words) {
  words.insert(words.begin(), TROUPE_DEV_CA);
  real_program script(std::move(words), real_program::errors::to_output);
  co_await script.status();
  co_return script.said();
}

coro<int> asked_once(cluster::node& here) {
  auto looked_up = here.lookup<protocol<count>>("counter");
  auto far = co_await timeout(60s, std::move(looked_up));
  co_return co_await far.ask(count{}, 60s);
}

}  // namespace

TEST_CASE("certificates that the script has made bring nodes together, and new ones as well") {
  if (lacks("openssl")) return;
  auto body = []() -> coro<> {
    scratch_folder folder;
    auto making = dev_ca({folder.file(""), "node.shop.test", "a", "b"});
    const std::string said = co_await std::move(making);
    INFO(said);
    const cluster::credentials first = from_files(folder, "a");
    cluster::node here(secure("a", first));
    here.publish("counter", spawn<counting>());
    cluster::node there(secure("b", from_files(folder, "b"), {address_of(here)}));
    int sum = co_await asked_once(there);
    CHECK(sum == 1);

    const std::string authority = folder.read("ca.pem");
    auto adding = dev_ca({folder.file(""), "node.shop.test", "c"});
    const std::string again = co_await std::move(adding);
    CHECK_THAT(again, Catch::Contains("node 'c' of node.shop.test"));
    CHECK(folder.read("ca.pem") == authority);
    cluster::node third(secure("c", from_files(folder, "c"), {address_of(here)}));
    sum = co_await asked_once(third);
    CHECK(sum == 2);
  };
  run_scenario(body());
}

TEST_CASE("the script says what is wrong with what it is given") {
  if (lacks("openssl")) return;
  auto body = []() -> coro<> {
    scratch_folder folder;
    auto without_nodes = dev_ca({folder.file("")});
    std::string said = co_await std::move(without_nodes);
    CHECK_THAT(said, Catch::Contains("dev-ca FOLDER CLUSTER NODE..."));
    auto without_a_name = dev_ca({folder.file(""), "a name", "a"});
    said = co_await std::move(without_a_name);
    CHECK_THAT(said, Catch::Contains("'a name' is none"));
    auto as_authority = dev_ca({folder.file(""), "node.test", "ca"});
    said = co_await std::move(as_authority);
    CHECK_THAT(said, Catch::Contains("the name of the authority's file"));
    folder.write("ca.pem", "half");
    auto with_half = dev_ca({folder.file(""), "node.test", "a"});
    said = co_await std::move(with_half);
    CHECK_THAT(said, Catch::Contains("has one of ca.pem and ca-key.pem"));
    CHECK(folder.read("ca.pem") == "half");
  };
  run_scenario(body());
}

TEST_CASE(
    "who speaks plainly, has another authority, or a certificate of yesterday, is turned away "
    "while others are served") {
  auto body = []() -> coro<> {
    const issued_certificate authority = issue({.name = "cluster", .authority = true});
    const issued_certificate strange = issue({.name = "other", .authority = true});
    certificate_request wanted;
    wanted.hosts = "DNS:node.shop.test";
    const issued_certificate right = issue(wanted, authority);
    const issued_certificate forged = issue(wanted, strange);
    wanted.ends = -60;
    const issued_certificate old = issue(wanted, authority);
    const auto shows = [&](const issued_certificate& what) {
      return cluster::credentials(what.identity(), authority.trusted(), "node.shop.test");
    };
    cluster::node here(secure("here", shows(right)));
    here.publish("counter", spawn<counting>());
    cluster::node honest(secure("honest", shows(right), {address_of(here)}));
    int sum = co_await asked_once(honest);
    CHECK(sum == 1);

    const cluster::node late(secure("late", shows(old), {address_of(here)}));
    const cluster::node other(secure("other", shows(forged), {address_of(here)}));
    cluster::node_options plain;
    plain.name = "plain";
    plain.seeds = {address_of(here)};
    plain.retry = 10ms;
    const cluster::node naked(plain);
    for (const cluster::node* const each : {&late, &other, &naked}) {
      const auto tried = [each] { return each->describe().find("looks for") != std::string::npos; };
      auto trying = poll_until(tried);
      co_await timeout(60s, std::move(trying));
      CHECK(each->members().empty());
    }
    for (int each = 0; each < 20; ++each) {
      io::stream stranger = co_await io::open_connection(address_of(here));
      stranger.write(each % 2 == 0 ? "GET / HTTP/1.1\r\n\r\n" : std::string(1000, '\0'));
      try {
        auto reading = stranger.read_all();
        co_await timeout(60s, std::move(reading));
      } catch (const std::system_error&) {
      }
      sum = co_await asked_once(honest);
      CHECK(sum == each + 2);
    }
    CHECK(here.members().size() == 1);
  };
  failure_log told;
  run_scenario(body(), 1, &told);
  CHECK_THAT(told.text(), Catch::Contains("has expired"));
  CHECK_THAT(told.text(), Catch::Contains("an authority that is not trusted"));
}
