// What is published, and who is found by a name that several have published.
#include "cluster/nodes.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct whose {
  using reply = std::string;
};
using desk = protocol<whose>;

class clerk : public actor<desk> {
 public:
  explicit clerk(std::string of) : of_(std::move(of)) {}
  std::string on(whose) { return of_; }

 private:
  std::string of_;
};

coro<std::string> found_by(cluster::node& on) {
  const actor_ref<desk> found = on.find<desk>("clerk");
  if (!found) co_return "nobody";
  co_return co_await found.ask(whose{});
}

}  // namespace

TEST_CASE(
    "of a name that several nodes have published each finds its own, else that of the lowest") {
  naturally([](simulation& world, network&) -> coro<> {
    const std::vector<io::endpoint> seed{io::endpoint("127.0.0.2", 7000)};
    cluster::node one(at("one", "127.0.0.2"));
    cluster::node two(at("two", "127.0.0.3", seed));
    cluster::node three(at("three", "127.0.0.4", seed));
    co_await world.advance(10s);
    const auto ones = spawn<clerk>("one's");
    const auto twos = spawn<clerk>("two's");
    one.publish("clerk", ones);
    two.publish("clerk", twos);
    co_await world.quiet();
    const std::string lowest = one.info().id < two.info().id ? "one's" : "two's";
    const std::string of_one = co_await found_by(one);
    const std::string of_two = co_await found_by(two);
    const std::string of_three = co_await found_by(three);
    CHECK(of_one == "one's");
    CHECK(of_two == "two's");
    CHECK(of_three == lowest);
    (lowest == "one's" ? ones : twos).stop();
    co_await world.quiet();
    const std::string other = co_await found_by(three);
    CHECK(other == (lowest == "one's" ? "two's" : "one's"));
  });
}

TEST_CASE("a node knows all names that are published, and where") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::node one(at("one", "127.0.0.2"));
    cluster::node two(at("two", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    const auto who = spawn<clerk>("one's");
    one.publish("a", who);
    one.publish("b", who);
    two.publish("b", spawn<clerk>("two's"));
    two.offer<clerk, std::string>("clerk");  // is nobody's business
    co_await world.advance(1s);
    const std::vector<cluster::published_name> own_first = {
        {"a", one.info().id}, {"b", one.info().id}, {"b", two.info().id}};
    CHECK(one.names() == own_first);
    std::vector<cluster::published_name> there = two.names();
    CHECK(there.front() == cluster::published_name{"b", two.info().id});
    one.unpublish("b");
    co_await world.quiet();
    CHECK(two.names().size() == 2);
    who.stop();
    co_await world.quiet();
    CHECK(two.names().size() == 1);
    CHECK(one.names().size() == 1);
  });
}
