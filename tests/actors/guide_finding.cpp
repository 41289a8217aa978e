// The code of docs/actors.md, third part: finding each other, several loops, counts. The regions are copied there.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace guide_finding {

// [registry]
struct lookup {
  using reply = int;
  int key;
};
struct put {
  int key;
  int value;
};
using storage = protocol<lookup, put>;

class shelf : public actor<storage> {
 public:
  void on(put p) { last_ = p.value; }
  int on(lookup) { return last_; }

 private:
  int last_ = 0;
};

coro<int> ask_by_name(int key) {
  if (auto found = whereis<storage>("storage")) {  // an empty ref when there is none
    co_return co_await found.ask(lookup{key});
  }
  auto pending = when_registered<storage>("storage");  // waits for it
  const actor_ref<storage> later = co_await pending;
  co_return co_await later.ask(lookup{key});
}

void open_storage() { register_name("storage", spawn<shelf>()); }  // free again when it has ended
// [/registry]

// [topic]
struct prices_seen {
  using reply = int;
};
struct price {
  std::string of;
  int cents;
};

class ticker : public actor<protocol<price, prices_seen>> {
 public:
  ticker() {
    topic<price>::named("prices").subscribe(self(), {.capacity = 100});  // then it loses some
  }
  void on(price) { ++seen_; }
  int on(prices_seen) { return seen_; }

 private:
  int seen_ = 0;
};

void announce() { topic<price>::named("prices").publish({"tea", 3}); }  // a copy for each
// [/topic]

// [router]
coro<int> spread_keys() {
  auto shards =
      router<storage>::by_key([](const auto& m) { return m.key; });  // equal keys, same actor
  for (int i = 0; i < 4; ++i) shards.add(spawn<shelf>());
  shards.tell(put{17, 3});
  const int value = co_await shards.ask(lookup{17});

  router<storage> any(routing::least_loaded);  // or round_robin
  any.add(spawn<shelf>());
  any.broadcast(put{1, 1});  // to each
  co_return value;
}
// [/router]

struct fetch {
  using reply = int;
  int page;
};
struct page_source {
  int asked = 0;
  int at_once = 0;
};

// [pool]
class fetcher : public actor<protocol<fetch>> {
 public:
  explicit fetcher(page_source& from) : from_(from) {}
  coro<int> on(fetch f) {
    if (++from_.asked > from_.at_once) from_.at_once = from_.asked;
    co_await sleep(10ms);
    --from_.asked;
    co_return f.page;
  }

 private:
  page_source& from_;
};

auto start_fetchers(page_source& source) {  // at most 8 at a time; a ref as of one fetcher
  return spawn<pool<fetcher>>(pool_options{.most = 8}, std::ref(source));
}
// [/pool]

struct which_loop {
  using reply = std::size_t;
};
class tenant : public actor<protocol<which_loop>> {
 public:
  std::size_t on(which_loop) { return loop::current()->index(); }
};

// [loops]
coro<std::size_t> settle_in() {
  auto there = spawn<tenant>(place::on(1));
  auto next = spawn<tenant>({.name = "next", .on = place::spread});  // the loops in turn
  auto quiet = spawn<tenant>(place::least_loaded);                   // the one with the fewest
  std::size_t actors = 0;
  for (const loop_load& each : runtime::current()->loads()) actors += each.actors;
  const std::size_t index = co_await there.ask(which_loop{});  // from any loop to any other
  co_return index * 10 + actors;
}
// [/loops]

// [counts]
void print_losses() {  // each, as it happens
  on_dead_letter([](const dead_letter& lost) {
    std::printf("%.*s never reached %s\n", static_cast<int>(lost.message.size()),
                lost.message.data(), lost.to.description().c_str());
  });
}

coro<std::string> losses() {  // how many, so far
  auto pending = counts_of_runtime();
  const actor_counts all = co_await pending;
  co_return std::to_string(all.dead_letters) + " messages lost, " +
      std::to_string(all.refused_as_full) + " of them for want of room; " +
      std::to_string(all.late_replies) + " answers too late";
}
// [/counts]

}  // namespace guide_finding

using namespace guide_finding;

TEST_CASE("the guide's actors find each other by name and topic") {
  auto body = []() -> coro<> {
    auto waiting = create_task(ask_by_name(1));
    co_await settle();
    open_storage();
    int value = co_await waiting;
    CHECK(value == 0);
    value = co_await ask_by_name(1);
    CHECK(value == 0);
    auto reader = spawn<ticker>();
    announce();
    const int seen = co_await reader.ask(prices_seen{});
    CHECK(seen == 1);
  };
  testing::run(body());
}

TEST_CASE("the guide's router and pool pass messages on") {
  page_source source;
  auto body = [](page_source& from) -> coro<> {
    const int value = co_await spread_keys();
    CHECK(value == 3);
    auto fetchers = start_fetchers(from);
    std::vector<future<int>> answers;
    for (int i = 0; i < 20; ++i) answers.push_back(fetchers.ask(fetch{i}));
    for (auto& each : answers) co_await each;
  };
  testing::run(body(source));
  CHECK(source.at_once == 8);
}

TEST_CASE("the guide's actors live on the loops that they were given") {
  CHECK(run_on(2, settle_in()) == 13);
}

TEST_CASE("the guide's counts say what was lost") {
  auto body = []() -> coro<std::string> {
    print_losses();
    auto gone = spawn<tenant>({.name = "gone"});
    gone.stop();
    co_await settle();
    gone.tell(which_loop{});
    co_return co_await losses();
  };
  CHECK(testing::run(body()) == "1 messages lost, 0 of them for want of room; 0 answers too late");
}
