#include <troupe/actors/internal/names.hpp>

#include <troupe/runtime/runtime.hpp>

#include <map>
#include <utility>

namespace troupe::internal {

namespace {

/// The names of all runtimes, and of loops without one. Asked once by each loop.
struct all_names {
  struct shared {
    names* held = nullptr;
    std::size_t users = 0;
  };
  static all_names& only() {
    static auto* const made =
        new all_names;  // never destroyed: loops may close after static objects have gone
    return *made;
  }
  names& join(const void* owner) {
    const std::scoped_lock lock(mutex);
    shared& of_owner = by_owner[owner];
    if (of_owner.held == nullptr) of_owner.held = new names;
    ++of_owner.users;
    return *of_owner.held;
  }
  void leave(const void* owner) noexcept {
    names* last = nullptr;
    {
      const std::scoped_lock lock(mutex);
      const auto at = by_owner.find(owner);
      if (--at->second.users != 0) return;
      last = at->second.held;
      by_owner.erase(at);
    }
    last->close();
    last->release();
  }

  std::mutex mutex;
  std::map<const void*, shared> by_owner;
};

/// One loop's way to the names of its runtime.
class loop_names final : public loop_service {
 public:
  loop_names() : owner_(owner_of(*loop::current())), held_(all_names::only().join(owner_)) {}
  ~loop_names() override { all_names::only().leave(owner_); }

  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }
  names& held() const noexcept { return held_; }

 private:
  static const void* owner_of(loop& home) noexcept {
    if (home.owner() != nullptr) return home.owner();
    return &home;
  }
  const void* owner_;
  names& held_;
};

}  // namespace

names& names::current(const char* what) { return running_loop(what).service<loop_names>().held(); }

void names::close() noexcept {
  by_name<registration*> held_last;
  by_name<std::vector<name_waiter*>> awaited_last;
  {
    const std::scoped_lock lock(mutex);
    held_last.swap(held);
    awaited_last.swap(awaited);
  }
  for (const auto& [name, each] : held_last) each->let_go();
  for (const auto& [name, waiting] : awaited_last) {
    for (name_waiter* const each : waiting) each->let_go();
  }
}

}  // namespace troupe::internal
