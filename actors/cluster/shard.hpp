#pragma once

#include <troupe/actors/cluster/node_access.hpp>
#include <troupe/actors/cluster/region.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::cluster {

struct shard_options {
  /// Keys are moved by partitions. All nodes have to have as many; more make shares more even, and moves longer. Up to 16 384.
  std::uint32_t partitions = 256;
  /// Nodes that host, this one included, without which none has actors here: with 3 of 5 only one of two sides goes on that have been parted.
  std::size_t least = 1;
  /// Actors that have had no message for so long are stopped; the next message starts another. `infinite`: never.
  duration idle = std::chrono::minutes(10);
  /// For so long a new node meets the others before it takes over partitions of theirs.
  duration settle = std::chrono::seconds(1);
  /// What is under way when a partition moves has so long to end; twice that, and its actors are killed.
  duration hand_over = std::chrono::seconds(5);
  /// For so long a node waits for one that it does not reach, and others do, before it takes over what was free.
  duration patience = std::chrono::seconds(10);
  /// Messages that may wait on this node for partitions that move. Those beyond it are refused.
  std::size_t waiting = 10'000;
};

namespace internal {

/// Errors: std::invalid_argument.
void check(std::string_view name, const shard_options& options);
region_options options_of(const shard_options& given, bool hosts);
std::uint64_t next_region_life() noexcept;
[[noreturn]] void throw_is_there(std::string_view shard);
std::string describe_places(const placement& of, std::string_view name, std::size_t actors);

}  // namespace internal

template <class Key, class P>
class keyed_ref;

/// How to reach the actors of a shard by their keys: what `shard` and `shard_client` are, to be copied and passed on within the program.
///
/// Messages of one sender to one key arrive in their order, at most once, also while the key moves; not beyond the loss of a node. A message whose actor has no node at the moment waits,
/// up to `shard_options::waiting` of them on a node.
/// Threads: as `actor_ref`.
template <class Key, class P>
class shard_ref;

template <class Key, class... Ms>
class shard_ref<Key, protocol<Ms...>> {
 public:
  using key_type = Key;
  using protocol_type = protocol<Ms...>;

  shard_ref() noexcept = default;

  template <message M>
  void tell(Key key, M m) const {
    if constexpr (accepts<protocol_type, M>) {
      region_.tell(internal::keyed<Key, M>{std::move(key), std::move(m), 0});
    } else {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, protocol_type>));
    }
  }

  /// As `actor_ref::ask`, of the actor of that key.
  /// Errors, at the await: those of an ask, with `node_lost` when it may have been done by a node that is lost now; `rejected` when too many wait, the actor
  /// could not be started, or the key has moved three times while the message followed it.
  template <message M>
  auto ask(Key key, M m, duration timeout = default_ask_timeout) const {
    if constexpr (!accepts<protocol_type, M>) {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, protocol_type>));
    } else if constexpr (!request<M>) {
      static_cast<void>(sizeof(message_has_no_reply_type_so_use_tell<M>));
    } else {
      future<reply_of<M>> sent =
          region_.ask(internal::keyed<Key, M>{std::move(key), std::move(m), 0}, timeout);
      if constexpr (troupe::internal::temporary_is_unsafe<M> ||
                    troupe::internal::temporary_is_unsafe<Key>) {
        return named_future<reply_of<M>>(std::move(sent));
      } else {
        return sent;
      }
    }
  }

  /// The one of that key.
  keyed_ref<Key, protocol_type> at(Key key) const { return {*this, std::move(key)}; }

  explicit operator bool() const noexcept { return static_cast<bool>(region_); }

 protected:
  actor_ref<protocol<internal::keyed<Key, Ms>...>> region_;
};

/// The actor of one key, wherever it is. A copy is the same.
template <class Key, class P>
class keyed_ref {
 public:
  keyed_ref(shard_ref<Key, P> of, Key key) : of_(std::move(of)), key_(std::move(key)) {}
  const Key& key() const noexcept { return key_; }
  template <message M>
  void tell(M m) const {
    of_.tell(key_, std::move(m));
  }
  template <message M>
  auto ask(M m, duration timeout = default_ask_timeout) const {
    return of_.ask(key_, std::move(m), timeout);
  }

 private:
  shard_ref<Key, P> of_;
  Key key_;
};

namespace internal {

/// What a node that hosts and one that only asks have in common.
template <class Key, class P, class Host>
class shard_part : public shard_ref<Key, P> {
 public:
  shard_part(const shard_part&) = delete;
  shard_part& operator=(const shard_part&) = delete;

  /// The nodes that host the shard, as this one sees it.
  const std::vector<node_id>& hosts() const noexcept { return view_->places->hosts(); }
  /// The same in the order in which they are to have the key: the second is the first when that is lost.
  std::vector<node_id> ranked(const Key& key) const {
    return view_->places->ranked(partition_of(key));
  }
  std::uint32_t partition_of(const Key& key) const {
    return static_cast<std::uint32_t>(hash_of_key(key) % view_->places->partitions());
  }
  /// Whether the two nodes' regions know each other.
  bool has_met(const node_id& other) const noexcept { return view_->places->has_met(other); }
  /// Of which there are actors here now.
  std::vector<Key> keys() const {
    std::vector<Key> all;
    for (const auto& each : view_->actors)
      for (const auto& [key, actor] : each) all.push_back(key);
    return all;
  }
  /// How many partitions are this node's now.
  std::size_t active() const noexcept { return view_->places->count(placement::phase::active); }
  /// For people.
  std::string describe() const { return describe_places(*view_->places, name_, keys().size()); }

 protected:
  using region_type = region<Key, P, Host>;

  shard_part(node& here, std::string name, const shard_options& options, Host host)
      : name_(std::move(name)), view_(std::make_shared<typename region_type::view>()) {
    check(name_, options);
    const std::string published = region_name(name_);
    using common = typename region_type::common;
    bool is_there = false;
    try {
      is_there = static_cast<bool>(here.template find_on<common>(here.info().id, published));
    } catch (const std::invalid_argument&) {  // one of another protocol
      is_there = true;
    }
    if (is_there) throw_is_there(name_);
    auto made = troupe::spawn<region_type>({.name = name_}, std::ref(here), name_,
                                           options_of(options, region_type::has_actors),
                                           std::move(host), view_, next_region_life());
    here.template publish<common>(published, made);
    node_access(here).keep(made);
    this->region_ = made;
    leaving_ = made;
  }
  ~shard_part() {
    if (leaving_) leaving_.stop();
  }

  std::string name_;
  std::shared_ptr<typename region_type::view> view_;
  actor_ref<protocol<region_leave>> leaving_;
};

}  // namespace internal

/// Actors by their keys, spread over the nodes that host them: each is on one of these, starts when it gets its first message, is stopped when it has been idle,
/// and moves when nodes come and go.
///
///     cluster::shard<std::string, account> accounts(here, "accounts", {.idle = 10min});     // on each node that hosts some
///     cluster::shard_client<std::string, bank> accounts(here, "accounts");                   // on one that has none
///     accounts.tell("anna", deposit{5});
///     co_await accounts.ask("anna", balance{});                                              // wherever she is
///
/// An `A` is made of its key and copies of the arguments behind the options (`std::ref` for references). Keys are numbers, texts, or other types that can be sent,
/// compared by `==` and put into bytes the same everywhere. An actor that ends, in whatever way, is started again by the next message. It has no memory of the one before, unless it
/// keeps its state elsewhere; but where `A` has a public `State hand_over()`, and is made of (Key, State, ...) too, that is what it begins with on another node when
/// its partition has moved from one that was not lost: called after its `on_stop`.
///
/// Of one key there is one actor among nodes that are connected: each asks the others before it begins. When the cluster is parted each side goes on by itself, unless
/// `least` prevents that; when the sides meet again, one actor of each key stays, and the state of the other is not asked for.
///
/// Life: what it has ends when it goes, as by a crash; `leave` first, to move it. It ends with its node. Threads: the node's loop, and its actors are on that, too; refs as
/// said there.
/// Cost: a message passes one more actor on each node on its way.
template <class Key, class A>
class shard
    : public internal::shard_part<Key, typename A::protocol_type, internal::host_of<Key, A>> {
  using host = internal::host_of<Key, A>;
  using part = internal::shard_part<Key, typename A::protocol_type, host>;

 public:
  /// Errors: std::invalid_argument for a name or options that make no sense, and when this node has one of that name.
  template <class... Args>
  shard(node& here, std::string name, const shard_options& options = {}, Args... args)
      : part(here, std::move(name), options, host::with(std::move(args)...)) {}

  /// Hosts no more: what it has moves to other nodes; done when it has. It goes on to pass messages on. Cancel: it goes on to leave.
  coro<> leave() { return leave_by(this->leaving_); }

 private:
  static coro<> leave_by(actor_ref<protocol<internal::region_leave>> region) {
    co_await region.ask(internal::region_leave{}, infinite);
  }
};

/// The same on a node that has no actors of the shard, and asks those of others. `P` is their protocol, or a part of it.
template <class Key, class P>
class shard_client : public internal::shard_part<Key, P, internal::no_host> {
 public:
  /// Errors: as of a shard.
  shard_client(node& here, std::string name, const shard_options& options = {})
      : internal::shard_part<Key, P, internal::no_host>(here, std::move(name), options, {}) {}
};

}  // namespace troupe::cluster
