// A cache that is right for one client and wrong for two, found by random commands that a simple model does as well.
// Run: test_with_a_model        Prints: the fewest commands that go wrong, and what the mended cache has stood
#include <troupe/runtime/testing/model_test.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

using troupe::testing::draw;

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
using store_protocol = troupe::protocol<put, get>;
using cache_protocol = troupe::protocol<get, forget>;

class store : public troupe::actor<store_protocol> {
 public:
  void on(put p) { values_[p.key] = p.value; }
  int on(get g) { return values_[g.key]; }

 private:
  std::map<int, int> values_;
};

/// Asks the store for what it has not; it is told to forget what somebody puts there.
class cache : public troupe::actor<cache_protocol> {
 public:
  using interleave = troupe::messages<forget>;  // also while it waits for the store
  cache(troupe::actor_ref<store_protocol> behind, bool mended)
      : behind_(std::move(behind)), mended_(mended) {}

  troupe::coro<int> on(get g) {
    if (const auto found = values_.find(g.key); found != values_.end()) co_return found->second;
    const int before = forgotten_;
    const int value = co_await behind_.ask(g);
    // Without this it keeps a value that it was told to forget while that was on its way.
    if (!mended_ || before == forgotten_) values_[g.key] = value;
    co_return value;
  }
  void on(forget f) {
    ++forgotten_;
    values_.erase(f.key);
  }

 private:
  troupe::actor_ref<store_protocol> behind_;
  bool mended_;
  int forgotten_ = 0;
  std::map<int, int> values_;
};

// [model]
/// What all of it should do, for one client after the other.
struct model {
  std::map<int, int> values;
  void apply(const put& p) { values[p.key] = p.value; }
  int apply(const get& g) const { return values.contains(g.key) ? values.at(g.key) : 0; }
  bool operator==(const model&) const = default;
};

/// What it does, made anew for each run.
struct cached_store {
  explicit cached_store(bool mended)
      : behind(troupe::spawn<store>()), before(troupe::spawn<cache>(behind, mended)) {}
  troupe::coro<> run(put p) {
    co_await behind.ask(p);
    co_await before.ask(forget{p.key});
  }
  auto run(get g) { return before.ask(g); }

  troupe::actor_ref<store_protocol> behind;
  troupe::actor_ref<cache_protocol> before;
};

troupe::testing::model_test<model, cached_store> test_of_cache(bool mended) {
  troupe::testing::model_test<model, cached_store> test(
      model(), [mended] { return std::make_unique<cached_store>(mended); });
  test.command([](draw& from) { return get{from.between(0, 3)}; });
  test.command([](draw& from) {
    const int key = from.between(0, 3);
    return put{key, from.between(1, 9)};
  });
  return test;
}

int main() {
  test_of_cache(false).check();  // nothing is wrong with it for one client
  try {
    test_of_cache(false).check_parallel({.runs = {.schedules = 10'000}});
    std::puts("the bug was not found");
    return 1;
  } catch (const troupe::testing::schedule_failed& found) {
    std::puts(found.what());
    std::filesystem::remove(found.about().file);
  }
  const auto stood = test_of_cache(true).check_parallel({.runs = {.schedules = 10'000}});
  std::printf("mended: %zu runs, %llu commands, nothing found\n", stood.runs.schedules,
              static_cast<unsigned long long>(stood.commands));
  return 0;
}
// [/model]
