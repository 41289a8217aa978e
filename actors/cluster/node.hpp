#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/cluster/errors.hpp>
#include <troupe/actors/cluster/factory.hpp>
#include <troupe/actors/cluster/remote.hpp>
#include <troupe/io/endpoint.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::cluster {

/// Tells a node from all others, also from an earlier one of the same name: 128 random bits.
struct node_id {
  std::array<std::uint64_t, 2> bits{};
  auto operator<=>(const node_id&) const = default;
  std::string text() const;
};

namespace internal {
class node_access;
}

struct node_info {
  node_id id;
  std::string name;
  std::string address;  ///< where it listens: "127.0.0.1:7000"; empty when it does not
  bool operator==(const node_info&) const = default;
};

/// A node has become a member, or is one no more: for whom subscribes by `node::watch_members`.
struct node_up {
  node_info who;
};
struct node_down {
  node_info who;
  std::string reason;
};
using membership = protocol<node_up, node_down>;

/// A name under which an actor of that node was published.
struct published_name {
  std::string name;
  node_id where;
  bool operator==(const published_name&) const = default;
};

struct node_options {
  std::string name = "node";
  std::optional<io::endpoint> listen = {};  ///< none: it is found by nobody, and finds others
  /// By which others reach it, when that is not where it listens: behind a gateway, say. One that listens at all addresses is known by that at which it
  /// is first seen.
  std::optional<io::endpoint> address = {};
  std::vector<io::endpoint> seeds = {};  ///< where to look for the others, again and again
  /// The same by names, "cluster.example:7000", which are looked up again and again: all that one leads to are looked for.
  std::vector<std::string> named_seeds = {};
  duration heartbeat = std::chrono::seconds(1);
  duration silence =
      std::chrono::seconds(5);  ///< a peer of whom nothing is heard for so long is lost
  duration handshake = std::chrono::seconds(5);
  duration retry = std::chrono::milliseconds(
      100);  ///< before the second try to connect; doubled up to `slowest_retry`
  duration slowest_retry = std::chrono::seconds(10);
  /// An address of which others have told is given up when nobody was there for so long; they tell of it again.
  duration forget = std::chrono::minutes(10);
  std::size_t longest_message = std::size_t{1} << 26;  ///< bytes that it takes at once
  /// What makes a connection safe, in either direction: see `credentials` in tls.hpp. Without, a node listens on the loopback only, and connects
  /// to that only, unless it is said to be `insecure`.
  std::function<coro<io::stream>(io::stream)> secure_accepted = {};
  std::function<coro<io::stream>(io::stream)> secure_dialled = {};
  bool insecure = false;
  std::size_t most_connections =
      1'000;                        ///< of others to it, in the midst of their handshakes or not
  std::size_t most_refs = 100'000;  ///< of actors of one other node that are held here at a time
  std::size_t unsent = std::size_t{1}
                       << 20;  ///< bytes for a peer from which on who sends to it waits
  /// Messages to one actor elsewhere that wait meanwhile, and while that has no room for more, at least 1; 65 536 of those that are sent in one go. Asks and `send` wait for room then, and
  /// what is told is refused: a dead letter.
  std::size_t waiting = std::size_t{1} << 16;
};

/// One program of a cluster: what its actors on other nodes can be reached by.
///
///     cluster::node here({.name = "shop", .listen = io::endpoint("127.0.0.1", 7000)});
///     here.publish("stock", stock);                                           // on one
///
///     cluster::node here({.seeds = {io::endpoint("127.0.0.1", 7000)}});
///     auto stock = co_await here.lookup<stock_protocol>("stock");            // on the other
///     co_await stock.ask(take{"pear"});
///
/// A ref of an actor elsewhere is an `actor_ref` like any other. What is sent goes at most once, in the order of one sender to one actor. When the node is
/// lost its actors have ended for all here, and asks under way fail with `node_lost`.
///
/// Life: it leaves when it goes; who was connected is told. Threads: the loop's on which it was made; refs, any.
class node {
 public:
  /// Errors: std::system_error when it cannot listen there; std::invalid_argument for options that make no sense, and for what is not
  /// safe; `invalid_state` off a loop.
  explicit node(node_options options = {});
  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  const node_info& info() const noexcept;
  /// Looks for a node there, besides the seeds. Errors: std::invalid_argument for what is not safe.
  void connect(const io::endpoint& there);
  /// Those that it is connected to, by their ids.
  std::vector<node_info> members() const;
  /// Tells of changes from now on, and first of each member that there is.
  void watch_members(actor_ref<membership> told);

  /// Makes an actor known by a name, on all nodes. One of that name on this node is replaced; it goes with the actor. `publish<P>` gives away a part of its
  /// protocol only: other nodes can send it the messages of `P`, and no others.
  template <class P>
  void publish(std::string name, const actor_ref<P>& who) {
    publish_cell(std::move(name), *who.cell(), internal::table_of<P>::value);
  }
  void unpublish(std::string_view name);

  /// The actor of that name: of this node, or of the member with the lowest id that has one. Waits until there is one. Cancel: does no more.
  /// Errors: `invalid_state` when the node leaves meanwhile.
  template <class P>
  coro<actor_ref<P>> lookup(std::string name) {
    for (;;) {
      if (actor_ref<P> found = find<P>(name)) co_return found;
      co_await next_name();
    }
  }
  /// The same, or nobody.
  template <class P>
  actor_ref<P> find(std::string_view name) {
    internal::cell* const found = find_cell(name, internal::table_of<P>::value);
    return found != nullptr ? actor_ref<P>(*found) : actor_ref<P>();
  }

  /// As `find`, on that node only. Errors: `node_lost` when that is no member.
  template <class P>
  actor_ref<P> find_on(const node_id& where, std::string_view name) {
    internal::cell* const found = find_cell_on(where, name, internal::table_of<P>::value);
    return found != nullptr ? actor_ref<P>(*found) : actor_ref<P>();
  }

  /// As `lookup`, of that node only. Errors: `node_lost` when that is no member, or is one no more.
  template <class P>
  coro<actor_ref<P>> lookup_on(node_id where, std::string name) {
    for (;;) {
      internal::cell* const found = find_cell_on(where, name, internal::table_of<P>::value);
      if (found != nullptr) co_return actor_ref<P>(*found);
      co_await next_name();
    }
  }

  /// Lets other nodes start actors of class `A` here, by that name, of `Args` that they send. They live until they stop, or this runtime does.
  template <class A, class... Args>
  void offer(const std::string& name) {
    offer_cell(name, troupe::spawn<internal::factory<A, Args...>>());
  }
  /// Starts one there, from what that node offers; waits until it does. Errors: `rejected` with what its constructor has thrown; `node_lost`; as of
  /// an ask. Cancel: it may have been started.
  template <class P, class... Args>
  coro<actor_ref<P>> spawn_on(node_id where, std::string name, Args... args) {
    using start = internal::start_actor<P, Args...>;
    auto looked_up = lookup_on<protocol<start>>(where, std::string(internal::factories) + name);
    const actor_ref<protocol<start>> maker = co_await std::move(looked_up);
    start wanted{{std::move(args)...}};
    auto asked = maker.ask(std::move(wanted));
    co_return co_await asked;
  }

  /// All that is published on this node, then on each member. Cost: linear in that.
  std::vector<published_name> names() const;
  /// For people: the members, what is published, and how many refs and asks there are.
  std::string describe() const;

 private:
  class core;
  friend class internal::peer;
  friend class internal::node_access;
  void publish_cell(std::string name, internal::cell& who,
                    const internal::protocol_table& messages);
  internal::cell* find_cell(std::string_view name, const internal::protocol_table& messages);
  internal::cell* find_cell_on(const node_id& where, std::string_view name,
                               const internal::protocol_table& messages);
  template <class P>
  void offer_cell(const std::string& name, const actor_ref<P>& maker) {
    publish(std::string(internal::factories) + name, maker);
    keep(any_actor(maker));
  }
  void keep(any_actor maker);
  coro<> next_name();
  std::shared_ptr<core> core_;
};

}  // namespace troupe::cluster
