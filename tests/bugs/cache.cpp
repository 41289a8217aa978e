// A cache in front of a store, as a model test finds what is wrong with it: right for one client after the other, and not for two at once.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/runtime/testing/model_test.hpp>

#include "bugs/bug.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct put {
  using reply = void;
  int key;
  int value;
};
struct get {
  using reply = int;
  int key;
};
struct forget {
  using reply = void;
  int key;
};

struct map_model {
  using key = int;
  static int key_of(const put& p) { return p.key; }
  static int key_of(const get& g) { return g.key; }
  std::map<int, int> values;
  void apply(const put& p) { values[p.key] = p.value; }
  int apply(const get& g) const {
    const auto found = values.find(g.key);
    return found == values.end() ? 0 : found->second;
  }
  bool operator==(const map_model&) const = default;
};

class store : public actor<protocol<put, get>> {
 public:
  void on(put p) { values_[p.key] = p.value; }
  int on(get g) { return values_[g.key]; }

 private:
  std::map<int, int> values_;
};

/// Asks the store for what it has not, and may be told meanwhile to forget it.
class cache : public actor<protocol<get, forget>> {
 public:
  cache(actor_ref<protocol<put, get>> behind, bool planted)
      : behind_(std::move(behind)), planted_(planted) {}
  using interleave = messages<forget>;
  coro<int> on(get g) {
    if (const auto found = values_.find(g.key); found != values_.end()) co_return found->second;
    const int seen = forgotten_;
    const int value = co_await behind_.ask(g);
    // What was forgotten while the answer was under way may be the value that has just come.
    if (planted_ || seen == forgotten_) values_[g.key] = value;
    co_return value;
  }
  void on(forget f) {
    ++forgotten_;
    values_.erase(f.key);
  }

 private:
  actor_ref<protocol<put, get>> behind_;
  bool planted_;
  int forgotten_ = 0;
  std::map<int, int> values_;
};

struct cached_store {
  explicit cached_store(bool planted)
      : behind(spawn<store>()), before(spawn<cache>(behind, planted)) {}
  coro<> run(put p) {
    co_await behind.ask(p);
    co_await before.ask(forget{p.key});
  }
  auto run(get g) { return before.ask(g); }

  actor_ref<protocol<put, get>> behind;
  actor_ref<protocol<get, forget>> before;
};

model_test<map_model, cached_store> test_of(bool planted) {
  model_test<map_model, cached_store> test(
      map_model(), [planted] { return std::make_unique<cached_store>(planted); });
  test.command([](draw& from) { return get{from.between(0, 3)}; });
  test.command([](draw& from) {
    const int key = from.between(0, 3);
    return put{key, from.between(1, 9)};
  });
  return test;
}

}  // namespace

TEST_CASE("planted and found by a model test: a cache keeps what was forgotten on its way") {
  CHECK_NOTHROW(test_of(true).check({.runs = {.schedules = 300}}));
  std::optional<schedule_failed::details> found;
  try {
    test_of(true).check_parallel({.runs = {.schedules = 10'000}});
  } catch (const schedule_failed& failed) {
    std::filesystem::remove(failed.about().file);
    found = failed.about();
  }
  REQUIRE(found);
  INFO(found->reason);
  try {
    std::rethrow_exception(found->cause);
  } catch (const commands_failed& failed) {
    // One gets while the other puts, and somebody gets it again.
    const std::vector<std::string>& commands = failed.commands();
    CHECK(commands.size() == 3);
    const auto is_put = [](const std::string& each) {
      return each.find("put{0, 1}") != std::string::npos;
    };
    CHECK(std::count_if(commands.begin(), commands.end(), is_put) == 1);
  }
  CHECK_NOTHROW(test_of(false).check_parallel({.runs = {.schedules = 1'000}}));
  CHECK_NOTHROW(test_of(false).check_parallel({.runs = {.schedules = 300, .threads = 3}}));
}
