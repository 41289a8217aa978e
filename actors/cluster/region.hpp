#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/cluster/hosted.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/cluster/placement.hpp>
#include <troupe/actors/cluster/region_messages.hpp>
#include <troupe/actors/delegate.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/sleep.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

// The part of a shard on one node: an actor that passes messages on to where the actors of their keys are, and is the parent of those that are here.

namespace troupe::cluster::internal {

/// The name of the regions of a shard on their nodes.
std::string region_name(std::string_view shard);

struct region_tick {};
struct region_settled {};
struct region_leave {
  using reply = void;
};

struct region_options {
  placement_options places;
  duration idle = infinite;
  duration settle{};
  std::size_t waiting = 10'000;
};

template <class Key, class State, class... Ms>
struct region_protocols {
  using common = protocol<region_hello, region_update, handed<Key, State>, keyed<Key, Ms>...>;
  using own = protocol<region_hello, region_update, handed<Key, State>, keyed<Key, Ms>..., node_up,
                       node_down, down, region_tick, region_settled, region_leave>;
};
template <class Key, class... Ms>
struct region_protocols<Key, void, Ms...> {
  using common = protocol<region_hello, region_update, keyed<Key, Ms>...>;
  using own = protocol<region_hello, region_update, keyed<Key, Ms>..., node_up, node_down, down,
                       region_tick, region_settled, region_leave>;
};

template <class Key, class P, class Host>
class region;

template <class Key, class... Ms, class Host>
class region<Key, protocol<Ms...>, Host> final
    : public actor<typename region_protocols<Key, typename Host::state, Ms...>::own>,
      private placement_user {
  static_assert(sizeof...(Ms) != 0, "the actors of a shard understand something");

 public:
  using state = typename Host::state;
  using common = typename region_protocols<Key, state, Ms...>::common;  ///< what others tell it
  using asked = protocol<keyed<Key, Ms>...>;
  using view = region_view<Key, protocol<Ms...>, state>;
  static constexpr std::string_view class_name = "shard";
  static constexpr bool has_actors = !std::same_as<Host, no_host>;
  static constexpr message_limit limits[] = {limit<keyed<Key, Ms>>(default_high_water)...};

  region(node& here, std::string shard, region_options options, Host host,
         std::shared_ptr<view> shown, std::uint64_t life)
      : node_(here),
        name_(std::move(shard)),
        published_(region_name(name_)),
        options_(options),
        host_(std::move(host)),
        view_(std::move(shown)) {
    view_->places.emplace(static_cast<placement_user&>(*this), here.info().id, life,
                          options_.places);
    view_->actors.resize(options_.places.partitions);
    this->set_stash_capacity(options_.waiting);
  }

  void on_start() {
    const duration shorter = std::min(options_.places.hand_over, options_.places.patience) / 5;
    this->start_periodic_timer("look", std::clamp<duration>(shorter, least_tick, longest_tick),
                               region_tick{});
    node_.watch_members(this->self());
    if constexpr (has_actors) {
      if (options_.settle > duration::zero()) {
        this->start_timer("settled", options_.settle, region_settled{});
      } else {
        places().set_hosting(true);
      }
    }
  }

  // --- messages by keys -----------------------------------------------------------------------------------------------

  template <message M>
    requires(!request<M>)
  void on(keyed<Key, M> m) {
    take(std::move(m), nobody());
  }
  template <request M>
  void on(keyed<Key, M> m, reply_to<reply_of<M>> answer) {
    take(std::move(m), std::move(answer));
  }

  // --- other regions --------------------------------------------------------------------------------------------------

  void on(node_up up) {
    neighbours_[up.who.id] = neighbour();
    static_cast<void>(this->create_task(meet(up.who.id)));
  }
  void on(const node_down& gone) {
    neighbours_.erase(gone.who.id);
    places().lost(gone.who.id);
    answer_who_leaves();
  }
  void on(const region_hello& said) {
    const auto known = neighbours_.find(said.from);
    if (known == neighbours_.end()) return;
    if (!places().knows(said.from, said.life) && !reach(said.from, known->second)) return;
    places().receive(said);
    answer_who_leaves();
  }
  void on(const region_update& said) {
    places().receive(said);
    answer_who_leaves();
  }

  template <class State>
  void on(handed<Key, State> given, reply_to<void> done) {
    const std::uint16_t number = partition_of(given.key);
    if (places().state(number) == placement::phase::active) {
      if (!view_->actors[number].contains(given.key)) adopt(number, given);
    } else if (places().state(number) != placement::phase::none) {
      inherited_[number].push_back(std::move(given));
    } else {
      const node_id* const heir = places().heir(number);
      if (heir == nullptr || ++given.hops >= most_hops)
        throw rejected("this node is not to have the key of what was handed over");
      return delegate(neighbours_.at(*heir).ref, std::move(given), std::move(done));
    }
    done.answer();
  }

  void on(const down& gone) {
    if (const auto known = keys_.find(gone.who.cell()); known != keys_.end())
      return actor_ended(known->second.first, known->second.second, gone);
    for (auto& [id, each] : neighbours_) {
      if (!(gone.who == each.ref)) continue;
      each = neighbour();
      static_cast<void>(this->create_task(meet(id)));
      places().lost(id);
      return answer_who_leaves();
    }
  }

  void on(region_tick) {
    places().look_at_time();
    answer_who_leaves();
  }
  void on(region_settled) {
    if (!leaving_) places().set_hosting(true);
  }
  void on(region_leave, reply_to<void> done) {
    leaving_ = true;
    places().set_hosting(false);
    waiting_for_end_.push_back(std::move(done));
    answer_who_leaves();
  }

 private:
  static constexpr duration least_tick = std::chrono::milliseconds(10);
  static constexpr duration longest_tick = std::chrono::seconds(1);
  static constexpr std::uint8_t most_hops = 3;
  struct nobody {
    static bool told() noexcept { return true; }
  };
  struct neighbour {
    actor_ref<common> ref;
    monitor_handle watch;
  };

  placement& places() noexcept { return *view_->places; }
  troupe::internal::cell& own_cell() const noexcept { return *this->self().cell(); }
  std::uint16_t partition_of(const Key& key) const {
    return static_cast<std::uint16_t>(hash_of_key(key) % options_.places.partitions);
  }

  coro<> meet(node_id other) {
    try {
      auto looking = node_.template lookup_on<common>(other, published_);
      co_await std::move(looking);
    } catch (const node_lost&) {
      co_return;
    } catch (const invalid_state&) {  // this node leaves
      co_return;
    }
    const auto known = neighbours_.find(other);
    if (known == neighbours_.end() || known->second.ref) co_return;  // it has said hello meanwhile
    if (reach(other, known->second)) places().found(other);
  }
  /// Has its messages go to the region that is there now. False when there is none.
  bool reach(const node_id& other, neighbour& known) {
    try {
      known.ref = node_.template find_on<common>(other, published_);
    } catch (const node_lost&) {
      return false;
    }
    if (!known.ref) return false;
    known.watch.cancel();
    known.watch = this->monitor(known.ref);
    return true;
  }

  void answer_who_leaves() {
    if (waiting_for_end_.empty() || places().holds_any() || places().greeting()) return;
    for (auto& each : std::exchange(waiting_for_end_, {})) each.answer();
  }

  // --- passing on -----------------------------------------------------------------------------------------------------

  template <class M, class Reply>
  void take(keyed<Key, M>&& m, Reply&& answer) {
    const std::uint16_t number = partition_of(m.key);
    const placement::route way = places().find(number, m.hops != 0);
    if (way.here) {
      if constexpr (has_actors) return deliver(number, std::move(m), std::move(answer));
    } else if (way.there != nullptr) {
      if (m.hops == most_hops)
        throw rejected("the actor of a key moves faster than a message for it follows");
      ++m.hops;
      return pass(neighbours_.at(*way.there).ref, std::move(m), std::move(answer));
    }
    put_aside(number, std::move(m), std::move(answer));
  }

  template <class To, class M, class Reply>
  static void pass(const To& to, M&& m, Reply&& answer) {
    if constexpr (std::same_as<std::remove_cvref_t<Reply>, nobody>) {
      to.tell(std::move(m));
    } else {
      delegate(to, std::move(m), std::move(answer));
    }
  }

  template <class M, class Reply>
  void put_aside(std::uint16_t number, M&& m, Reply&& answer) {
    const std::string other = places().disagreement();
    if (!other.empty()) throw rejected("shard '" + name_ + "' is not to be reached: " + other);
    if (this->stashed() >= options_.waiting && answer.told()) refuse_more(number);
    bool full = false;
    try {
      if constexpr (std::same_as<std::remove_cvref_t<Reply>, nobody>) {
        this->stash(std::move(m));
      } else {
        this->stash(std::move(m), std::move(answer));
      }
    } catch (const stash_full&) {
      full = true;
    }
    if (full) refuse_more(number);
  }
  [[noreturn]] void refuse_more(std::uint16_t number) {
    throw rejected("shard '" + name_ + "' has " + std::to_string(this->stashed()) +
                   " messages waiting here, as many as may: " + places().obstacle(number));
  }

  template <class M, class Reply>
  void deliver(std::uint16_t number, keyed<Key, M>&& m, Reply&& answer) {
    auto& actors = view_->actors[number];
    auto known = actors.find(m.key);
    if (known == actors.end()) {
      std::exception_ptr failed;
      try {
        known = start(number, m.key, nullptr);
      } catch (...) {
        failed = std::current_exception();
      }
      if (failed)
        throw rejected("the actor of a key of shard '" + name_ +
                       "' could not be started: " + troupe::describe(failed));
    } else if (!known->second.ref.cell()->takes_messages()) {  // it is on its way out
      known->second.awaited = true;
      return put_aside(number, std::move(m), std::move(answer));
    }
    pass(known->second.ref, std::move(m.message), std::move(answer));
  }

  // --- actors ---------------------------------------------------------------------------------------------------------

  /// Errors: what the constructor throws.
  auto start(std::uint16_t number, const Key& key, state* given) {
    using A = typename Host::actor;
    mailbox_options bound;
    if constexpr (requires { requires std::same_as<decltype(A::mailbox), const mailbox_options>; })
      bound = A::mailbox;
    // One that stops itself goes on with what it was sent before.
    if (bound.drain_for == duration{}) bound.drain_for = options_.places.hand_over;
    const std::string name = name_of(key);
    typename view::local added;
    added.ref = host_.start(own_cell(), {.name = name, .on = place::here, .mailbox = bound}, key,
                            added, given);
    troupe::internal::cell* const cell = added.ref.cell();
    if (options_.idle != infinite) troupe::internal::set_idle_timeout(*cell, options_.idle);
    this->monitor(added.ref);
    keys_.emplace(cell, std::pair(number, key));
    return view_->actors[number].emplace(key, std::move(added)).first;
  }
  static std::string name_of(const Key& key) {
    if constexpr (std::convertible_to<const Key&, std::string_view>) {
      return std::string(std::string_view(key));
    } else if constexpr (std::integral<Key>) {
      return std::to_string(key);
    } else {
      return {};
    }
  }

  void actor_ended(std::uint16_t number, const Key& key, const down& gone) {
    auto& actors = view_->actors[number];
    const auto known = actors.find(key);
    const bool awaited = known->second.awaited;
    const bool drains = places().state(number) == placement::phase::draining;
    if constexpr (!std::is_void_v<state>) {
      auto& left = *known->second.left;
      if (drains && left && !gone.reason.failed())
        inherited_[number].push_back({0, key, std::move(*left)});
    }
    actors.erase(known);
    keys_.erase(gone.who.cell());
    if (awaited) this->unstash_all();
    if (drains && actors.empty()) static_cast<void>(this->create_task(hand_over_all(number)));
  }

  template <class Given>
  void adopt(std::uint16_t number, Given& given) {
    std::exception_ptr failed;
    try {
      start(number, given.key, &given.state);
    } catch (...) {
      failed = std::current_exception();
    }
    if (failed)
      own_cell().home().report(
          {"an actor of shard '" + name_ + "' could not begin with what was handed over", failed});
  }
  /// Passes on what the actors of a partition have left, and what was left to them, until others have it; but not for ever.
  coro<> hand_over_all(std::uint16_t number) {
    if constexpr (!std::is_void_v<state>) {
      const time_point end = now() + options_.places.hand_over;
      auto& mine = inherited_[number];
      while (places().heir(number) != nullptr && !mine.empty() && now() < end) {
        const actor_ref<common> heir = neighbours_.at(*places().heir(number)).ref;
        auto given = std::exchange(mine, {});
        std::vector<future<void>> sent;
        for (const auto& each : given) {
          handed<Key, state> copy = each;
          sent.push_back(heir.ask(std::move(copy), options_.places.hand_over));
        }
        for (std::size_t each = 0; each < sent.size(); ++each) {
          bool taken = false;
          try {
            co_await sent[each];
            taken = true;
          } catch (const std::exception&) {  // to whom it goes now is to be seen
          }
          if (!taken) mine.push_back(std::move(given[each]));
        }
        if (!mine.empty()) co_await sleep(least_tick);
      }
      if (places().heir(number) != nullptr && !mine.empty())
        own_cell().home().report({"shard '" + name_ + "' could not hand over what " +
                                      std::to_string(mine.size()) + " actors have left",
                                  std::make_exception_ptr(std::runtime_error("no node took it"))});
    }
    places().drained(number);
    answer_who_leaves();
  }

  // --- what a placement has it do -------------------------------------------------------------------------------------

  void send(const node_id& to, region_hello&& said) override {
    neighbours_.at(to).ref.tell(std::move(said));
  }
  void send(const node_id& to, region_update&& said) override {
    neighbours_.at(to).ref.tell(std::move(said));
  }
  void begin([[maybe_unused]] std::uint16_t partition) override {
    if constexpr (!std::is_void_v<state>) {
      auto all = inherited_.extract(partition);
      if (all.empty()) return;
      for (auto& each : all.mapped())
        if (!view_->actors[partition].contains(each.key)) adopt(partition, each);
    }
  }
  bool drain(std::uint16_t partition) override {
    for (const auto& [key, each] : view_->actors[partition])
      each.ref.stop_when_drained(options_.places.hand_over);
    if (!view_->actors[partition].empty()) return false;
    const auto left = inherited_.find(partition);
    if (left == inherited_.end() || left->second.empty()) return true;
    static_cast<void>(this->create_task(hand_over_all(partition)));
    return false;
  }
  void kill(std::uint16_t partition) override {
    for (const auto& [key, each] : view_->actors[partition]) each.ref.kill();
  }
  void forget(std::uint16_t partition) override { inherited_.erase(partition); }
  void routes_changed() override { this->unstash_all(); }
  void disagrees(const std::string& what) override {
    own_cell().home().report({"shard '" + name_ + "' is not the same everywhere",
                              std::make_exception_ptr(std::runtime_error(what))});
  }
  time_point now() const override { return own_cell().home().time(); }

  node& node_;
  const std::string name_;
  const std::string published_;
  const region_options options_;
  Host host_;
  std::shared_ptr<view> view_;
  std::map<node_id, neighbour> neighbours_;
  std::unordered_map<const troupe::internal::cell*, std::pair<std::uint16_t, Key>> keys_;
  /// What was handed over to this node, and what its own actors have left, until it is passed on.
  std::map<std::uint16_t,
           std::vector<std::conditional_t<std::is_void_v<state>, nobody, handed<Key, state>>>>
      inherited_;
  std::vector<reply_to<void>> waiting_for_end_;
  bool leaving_ = false;
};

}  // namespace troupe::cluster::internal
