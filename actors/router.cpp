#include <troupe/actors/router.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/internal/counted.hpp>
#include <troupe/actors/internal/hash_ring.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

namespace troupe::internal {

/// One actor's place in a router, which it keeps. Counted: by the router's list, by the actor's list of watchers, by a note that is on its
/// way, by choices.
class routee final : public watcher, public work, public pooled {
 public:
  routee(router_state& of, cell& given) noexcept;

  void told(const exit_reason& why) noexcept override;
  void keep() noexcept override { count_.add(); }
  void let_go() noexcept override {
    if (count_.drop()) delete this;
  }

  cell& who() const noexcept { return who_; }
  bool is_here() const noexcept { return &who_.home() == loop::current(); }
  /// Whether it may take messages, as far as this loop knows.
  bool usable() const noexcept {
    return !ended_.load(std::memory_order_relaxed) && !(is_here() && !who_.takes_messages());
  }
  void end() noexcept { ended_.store(true, std::memory_order_relaxed); }

  /// Messages waiting or in hand, counted up to `limit`.
  std::size_t load(std::size_t limit) noexcept {
    if (is_here()) return load_here(limit);
    const std::size_t known =
        reported_.load(std::memory_order_relaxed) + sent_.load(std::memory_order_relaxed);
    if (known != 0) look_again();
    return known;
  }
  /// A message has been sent to it, from this loop.
  void count_sent() noexcept {
    if (is_here()) return;
    sent_.fetch_add(1, std::memory_order_relaxed);
    look_again();
  }

  std::size_t slot = 0;  ///< its place on the ring; written before it is in the list

 private:
  ~routee();
  std::size_t load_here(std::size_t limit) const noexcept {
    return who_.messages().length(limit) + (who_.busy() ? 1 : 0);
  }
  /// Sends a note to its loop, unless one is on its way.
  void look_again() noexcept {
    if (asked_.exchange(true, std::memory_order_acquire)) return;
    sent_before_ = sent_.load(std::memory_order_relaxed);
    keep();
    if (who_.home().post(*this)) return;
    asked_.store(false, std::memory_order_release);
    let_go();
  }
  static void arrive(work& item) noexcept {
    auto& self = static_cast<routee&>(item);
    self.reported_.store(self.load_here(most_counted), std::memory_order_relaxed);
    self.sent_.fetch_sub(self.sent_before_, std::memory_order_relaxed);
    self.asked_.store(false, std::memory_order_release);
    self.let_go();
  }
  /// No walk along a long queue: beyond this they are all the same.
  static constexpr std::size_t most_counted = 1000;

  router_state& router_;
  cell& who_;
  std::atomic<bool> ended_{false};
  std::atomic<bool> asked_{false};
  std::atomic<std::size_t> sent_{0};      ///< by this router, since `reported_`
  std::atomic<std::size_t> reported_{0};  ///< by its loop
  std::size_t sent_before_ =
      0;  ///< the note that is on its way; whoever has set `asked_` writes it
  ref_count count_{2};
};

/// What the handles of a router share. Counted by them and by the routees.
class router_state final : public pooled {
 public:
  struct members {
    std::vector<counted<routee>> all;
    hash_ring<routee> ring;  ///< empty but by key
  };

  router_state(routing given, route_key given_key, std::size_t given_points) noexcept
      : how(given), key(std::move(given_key)), points(given_points) {}
  void keep() noexcept { count_.add(); }
  void let_go() noexcept {
    if (count_.drop()) delete this;
  }
  bool remove(const cell* who) noexcept;
  /// With a count, or null.
  routee* choose(const message_info& of, const void* message);

  const routing how;  ///< round_robin when it goes by key
  const route_key key;
  const std::size_t points;
  versioned<members> list;

 private:
  ~router_state() = default;
  routee* choose_in_turn(const members& among) noexcept;
  routee* choose_least_loaded(const members& among) noexcept;
  std::atomic<std::size_t> next_{0};
  ref_count count_{1};
};

routee::routee(router_state& of, cell& given) noexcept
    : work(&routee::arrive), router_(of), who_(given) {
  router_.keep();
  who_.retain();
}

routee::~routee() {
  who_.release();
  router_.let_go();
}

void routee::told(const exit_reason&) noexcept {
  end();
  router_.remove(&who_);
  let_go();
}

bool router_state::remove(const cell* who) noexcept {
  counted<routee> left;
  list.change([&](members& now) {
    const auto at = std::find_if(now.all.begin(), now.all.end(),
                                 [&](const auto& each) { return &each->who() == who; });
    if (at == now.all.end()) return;
    left = std::move(*at);
    now.all.erase(at);
    now.ring.remove(*left);
  });
  if (!left) return false;
  left->end();
  unwatch(left->who(), *left);
  return true;
}

routee* router_state::choose_in_turn(const members& among) noexcept {
  const std::size_t size = among.all.size();
  for (std::size_t tries = 0; tries != size; ++tries) {
    routee& each = *among.all[next_.fetch_add(1, std::memory_order_relaxed) % size];
    if (each.usable()) return &each;
  }
  return nullptr;
}

routee* router_state::choose_least_loaded(const members& among) noexcept {
  const std::size_t size = among.all.size();
  const std::size_t first = next_.fetch_add(1, std::memory_order_relaxed);
  routee* best = nullptr;
  std::size_t least = static_cast<std::size_t>(-1);
  for (std::size_t index = 0; index != size; ++index) {
    routee& each = *among.all[(first + index) % size];
    if (!each.usable()) continue;
    const std::size_t load = each.load(least);
    if (best != nullptr && load >= least) continue;
    best = &each;
    least = load;
    // Nothing is less, but the others are to be looked at again from time to time, which their own turn sees to.
    if (least == 0) break;
  }
  return best;
}

routee* router_state::choose(const message_info& of, const void* message) {
  const std::uint64_t hash = key ? key(of, message) : 0;
  const auto among = list.read();
  if (among->all.empty()) return nullptr;
  routee* chosen = nullptr;
  if (key) {
    chosen = among->ring.find(hash, [](const routee& each) { return each.usable(); });
  } else if (how == routing::round_robin) {
    chosen = choose_in_turn(*among);
  } else {
    chosen = choose_least_loaded(*among);
  }
  if (chosen != nullptr) chosen->keep();
  return chosen;
}

choice::choice(router_state& from, const message_info& of, const void* message)
    : from_(from), chosen_(from.choose(of, message)) {}

choice::~choice() {
  if (chosen_ == nullptr) return;
  if (from_.how == routing::least_loaded) chosen_->count_sent();
  chosen_->let_go();
}

cell* choice::who() const noexcept { return chosen_ != nullptr ? &chosen_->who() : nullptr; }

router_state& make_router(routing how) { return *new router_state(how, {}, 0); }
router_state& make_router(route_key key, std::size_t points) {
  if (points == 0) throw std::invalid_argument("a router by key needs a point for each routee");
  return *new router_state(routing::round_robin, std::move(key), points);
}
void keep(router_state& held) noexcept { held.keep(); }
void let_go(router_state& held) noexcept { held.let_go(); }

bool add_routee(router_state& to, cell* who) {
  expects(who != nullptr, "nobody was to be a routee");
  counted<routee> added(new routee(to, *who));
  const bool is_new = to.list.change([&](router_state::members& now) {
    std::vector<bool> taken(now.all.size() + 1);
    for (const auto& each : now.all) {
      if (&each->who() == who) return false;
      if (each->slot < taken.size()) taken[each->slot] = true;
    }
    added->slot =
        static_cast<std::size_t>(std::find(taken.begin(), taken.end(), false) - taken.begin());
    now.all.push_back(added);
    if (to.key) now.ring.add(*added, added->slot, to.points);
    return true;
  });
  if (is_new) {
    watch(*who, *added);  // takes over the second count
  } else {
    added->let_go();
  }
  return is_new;
}

bool remove_routee(router_state& from, cell* who) noexcept { return from.remove(who); }

std::size_t routees(const router_state& of) noexcept { return of.list.read()->all.size(); }

std::size_t broadcast(router_state& to, const void* message, envelope* (*copied)(const void*)) {
  const auto among = to.list.read();
  std::size_t sent = 0;
  for (const counted<routee>& each : among->all) {
    if (!each->usable()) continue;
    each->who().enqueue(*copied(message));
    if (to.how == routing::least_loaded) each->count_sent();
    ++sent;
  }
  return sent;
}

void lose(envelope& item) noexcept {
  count_dead_letter(dead_letter::reason::nobody, nullptr, *item.info);
  item.info->free(item);
}

std::exception_ptr no_routee_for(std::string_view message) {
  return std::make_exception_ptr(
      no_routee("a router was asked " + std::string(message) + " and has no routee"));
}

std::uint64_t hash_number(std::uint64_t number) noexcept {
  // The finalizer of splitmix64: neighbours come out far apart.
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

std::uint64_t hash_text(std::string_view text) noexcept {
  // FNV-1a, and then mixed: its upper bits alone are poor for short texts.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char each : text) {
    hash ^= static_cast<unsigned char>(each);
    hash *= 0x100000001b3;
  }
  return hash_number(hash);
}

}  // namespace troupe::internal
