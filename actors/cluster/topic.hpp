#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/cluster/node_access.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/topic.hpp>
#include <troupe/runtime/errors.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::cluster {

struct topic_options {
  /// What waits here for another node that is slower than its messages come, besides what its connection takes (`node_options::unsent`): so many, and
  /// what it loses then. With `lag::end` it gets nothing more until it connects anew.
  subscription_options to_a_node = {.capacity = 10'000, .when_full = lag::drop_newest};
};

namespace internal {

/// How the hub of a topic is told by its handles, on its node only.
struct subscribed {
  any_actor who;
  std::shared_ptr<void> keeps;  ///< the topic, until the hub does
};
struct unsubscribed {};
using topic_desk = protocol<subscribed, unsubscribed>;

/// What all topics are to a node.
class any_topic {
 public:
  any_topic(const node_access& node, std::string hub, const troupe::internal::message_info& content)
      : on(node), name(std::move(hub)), of(content) {}
  virtual ~any_topic() = default;

  node_access on;
  const std::string name;  ///< under which its hub is published
  const troupe::internal::message_info& of;
};

/// The topic of that name on this node, or null. Errors: `name_mismatch`; `invalid_state` when the node has left.
std::shared_ptr<any_topic> known_topic(node_access on, std::string_view name,
                                       const troupe::internal::message_info& of);
void keep_topic(node_access on, const std::shared_ptr<any_topic>& made);
/// Its name was given up, unless another has it by now.
void forget_topic(node_access on, const std::string& hub) noexcept;
/// Its name under which a node publishes it. Errors: std::invalid_argument.
std::string hub_name(std::string_view topic);

/// What the handles of a topic on one node share.
template <class M>
class topic_state final : public any_topic {
 public:
  using any_topic::any_topic;
  ~topic_state() override {
    if (hub) hub.stop();
  }

  troupe::topic<M> here;   ///< the subscribers of this node
  troupe::topic<M> there;  ///< the hubs of others, as they are known here
  subscription_options to_a_node;
  actor_ref<topic_desk> hub;
  std::map<node_id, actor_ref<protocol<M>>> others;  ///< for the node's loop

  /// Has `there` those that publish the topic now.
  void look_around();
};

template <class M>
void topic_state<M>::look_around() {
  std::map<node_id, actor_ref<protocol<M>>> found;
  for (const node_id& each : on.members())
    if (cell* const one = on.find_on(each, name, table_of<protocol<M>>::value))
      found.emplace(each, actor_ref<protocol<M>>(*one));
  for (const auto& [id, each] : others) {
    const auto now = found.find(id);
    if (now == found.end() || now->second != each) there.unsubscribe(each);
  }
  for (const auto& [id, each] : found) {
    const auto before = others.find(id);
    if (before == others.end() || before->second != each) there.subscribe(each, to_a_node);
  }
  others = std::move(found);
}

/// Stands for a topic on its node: what is published elsewhere comes to it, once for all subscribers, while there are some.
template <class M>
class topic_hub final : public actor<protocol<M, subscribed, unsubscribed, down>> {
 public:
  static constexpr std::string_view class_name = "topic of a cluster";

  explicit topic_hub(const std::shared_ptr<topic_state<M>>& of)
      : of_(of), on_(of->on), name_(of->name) {}

  void on_start() { this->create_task(follow()); }
  void on_stop() { forget_topic(on_, name_); }

  void on(M given)
    requires(!request<M>)
  {
    pass_on(given);
  }
  template <request R = M>
  void on(M given, reply_to<reply_of<R>>) {
    pass_on(given);
  }
  void on(subscribed given) {
    const bool first = kept_ == nullptr;
    kept_ = of_.lock();
    this->monitor(given.who);
    if (first) on_.publish(kept_->name, *this->self().cell(), table_of<protocol<M>>::value);
    look();  // it may have ended
  }
  void on(unsubscribed) { look(); }
  void on(down) { look(); }

 private:
  void pass_on(const M& given) {
    if (const auto state = of_.lock()) state->here.publish(given);
    look();
  }
  /// Nobody may be left.
  void look() {
    if (kept_ == nullptr || kept_->here.subscribers() != 0) return;
    on_.unpublish(kept_->name);
    kept_.reset();
  }
  coro<> follow() {
    try {
      for (;;) {
        if (const auto state = of_.lock()) state->look_around();
        co_await on_.next_name();
      }
    } catch (const invalid_state&) {  // the node has left
    }
    this->stop();
  }

  std::weak_ptr<topic_state<M>> of_;
  std::shared_ptr<topic_state<M>> kept_;  ///< while there are subscribers
  node_access on_;
  const std::string name_;
};

}  // namespace internal

/// A message for whoever wants it, on all nodes of the cluster: `troupe::topic`, by its name. Each subscriber gets a copy of each message; each other node
/// that has subscribers is sent it once.
///
///     cluster::topic<price> prices(here, "prices");   // on each node
///     prices.subscribe(self());                       // in an actor that understands price
///     prices.publish(price{"tea", 3});                // on any of them, whether it has subscribers or not
///
/// What one publishes comes to each subscriber in that order, at most once: what was under way to a node that is lost is lost. A subscriber gets what is
/// published elsewhere once that node has heard of it: when the two are connected, at the earliest.
///
/// Life: this is a handle, and copies are of the same topic. Dropping the handles changes nothing for subscribers, and one that has ended is
/// one no more. When the node has left, what is published on it still reaches its own subscribers.
/// Threads: it is made on the node's loop; copies may be used anywhere, but for what says otherwise.
template <class M>
class topic {
 public:
  using message_type = M;

  /// The options are those of whoever is first on this node.
  /// Errors: `name_mismatch` when it is a topic of another message on this node (on another one its messages are refused, and reported, where they
  /// arrive); std::invalid_argument for a name that is empty, longer than 1000 bytes, or has control characters in it; `invalid_state` off the node's loop, and
  /// when the node has left.
  topic(node& on, std::string_view name, const topic_options& options = {}) {
    const internal::node_access access(on);
    const auto& content = troupe::internal::envelope_of<M>::type;
    if (const auto known = internal::known_topic(access, name, content)) {
      state_ = std::static_pointer_cast<internal::topic_state<M>>(known);
      return;
    }
    state_ = std::make_shared<internal::topic_state<M>>(access, internal::hub_name(name), content);
    state_->to_a_node = options.to_a_node;
    state_->look_around();
    state_->hub = spawn<internal::topic_hub<M>>(state_);
    internal::keep_topic(access, state_);
  }

  /// Sends `message` to all who subscribe now, here and elsewhere, and have room for it; returns to how many: subscribers here, and other nodes.
  /// Errors: what copying the message throws. Cost: per subscriber here, and per node that has some, as a tell.
  std::size_t publish(const M& message) const {
    return state_->here.publish(message) + state_->there.publish(message);
  }

  /// As of `troupe::topic`: sends `who` what is published from now on. Other nodes hear of the first one here as they do of names.
  template <class P>
  bool subscribe(const actor_ref<P>& who, const subscription_options& options = {}) const {
    if (!state_->here.subscribe(who, options)) return false;
    state_->hub.tell(internal::subscribed{who, state_});
    return true;
  }
  bool unsubscribe(const any_actor& who) const {
    if (!state_->here.unsubscribe(who)) return false;
    state_->hub.tell(internal::unsubscribed{});
    return true;
  }

  /// How many messages `who`, a subscriber here, has lost because it lagged behind.
  std::uint64_t lost(const any_actor& who) const { return state_->here.lost(who); }
  /// How many were not sent to that node because it lagged behind, since it subscribed. Threads: the node's loop.
  std::uint64_t lost(const node_id& where) const {
    const auto known = state_->others.find(where);
    return known != state_->others.end() ? state_->there.lost(known->second) : 0;
  }

  /// How many there are on this node.
  std::size_t subscribers() const { return state_->here.subscribers(); }
  /// How many other nodes have some, as far as is known here.
  std::size_t nodes() const { return state_->there.subscribers(); }

 private:
  std::shared_ptr<internal::topic_state<M>> state_;
};

}  // namespace troupe::cluster
