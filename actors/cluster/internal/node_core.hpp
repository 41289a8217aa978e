#pragma once

#include <troupe/actors/cluster/internal/peer.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/watch.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/task.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::cluster {

namespace internal {
/// Of nodes, and of their addresses.
inline constexpr std::size_t longest_name = 255;
/// All that is no message of a program fits into that: names, layouts, errors.
inline constexpr std::size_t least_longest = std::size_t{1} << 16;
/// Whether a connection was lost, or is slow: nobody has done anything wrong.
bool is_of_the_network(const std::exception_ptr& error);
}  // namespace internal

/// What is behind a `node`.
class node::core final : public std::enable_shared_from_this<node::core> {
 public:
  explicit core(node_options given);
  ~core();

  /// Begins to listen, and to look for others.
  void begin();
  void leave();

  const node_options& options() const noexcept { return options_; }
  const node_info& info() const noexcept { return info_; }
  bool leaving() const noexcept { return leaving_; }
  loop& home() const noexcept { return home_; }

  /// Again and again; unless it is `for_good`, until there was nobody for long.
  void look_for(const io::endpoint& there, bool for_good);
  /// For all whom "host:port" leads to.
  void look_for_name(const std::string& seed);
  /// Errors: std::invalid_argument.
  void expect_safe(const io::endpoint& at, const char* doing) const;
  /// A peer has told of another.
  void heard_of(const node_id& other, const std::string& address);

  // --- actors that others have refs of ---------------------------------------------------------------------------------

  struct exported {
    any_actor who;
    std::vector<const internal::protocol_table*> tables;
    troupe::internal::watcher* watching = nullptr;  ///< its end; counted
    std::size_t holders = 0;                        ///< peers that may have refs of it
    std::size_t names = 0;                          ///< by which it is published
  };
  /// The number under which others know it.
  std::uint64_t number_of(internal::cell& who, const internal::protocol_table& messages);
  exported* find(std::uint64_t number) noexcept;
  /// One more peer has refs of it, or none any more: when nobody has, and it has no name, it is forgotten.
  void hold(std::uint64_t number) noexcept { ++exports_.at(number).holders; }
  void let_go(std::uint64_t number) noexcept;
  /// It has ended.
  void ended(std::uint64_t number, const exit_reason& why);

  // --- names ----------------------------------------------------------------------------------------------------------

  void publish(std::string name, internal::cell& who, const internal::protocol_table& messages);
  void unpublish(std::string_view name);
  internal::cell* find(std::string_view name, const internal::protocol_table& messages);
  internal::cell* find_on(const node_id& where, std::string_view name,
                          const internal::protocol_table& messages);
  coro<> next_name();
  void names_changed();
  const auto& names() const noexcept { return names_; }

  void watch_members(actor_ref<membership> told);
  std::string describe() const;

  std::map<node_id, std::shared_ptr<internal::peer>> peers;
  std::vector<any_actor> kept;  ///< which end with the node
  /// Of what is built upon this: see `node_access`.
  std::map<std::string, std::shared_ptr<void>, std::less<>> shared;
  std::uint64_t numbers_drawn = 0;

 private:
  class ending;
  void forget_if_unused(std::uint64_t number) noexcept;
  void unnamed(std::uint64_t number) noexcept;
  /// Notes why there is no connection with that one; it is reported when that is a new reason.
  void failed(const std::string& who, const std::exception_ptr& why, bool is_told);
  coro<> serve(io::stream wire);
  coro<> keep_resolving(std::string seed);
  coro<> keep_looking(io::endpoint there);
  /// Gives who it was, when the connection has ended; nothing when there was none.
  coro<std::optional<node_id>> dial(io::endpoint there, std::string address);
  struct greeting {
    greeting() =
        default;  // no aggregate, which g++ 12 would destroy twice inside of a co_await expression
    node_info who;
    std::uint64_t longest = 0;  ///< bytes that it takes at once
  };
  /// Sent at once, by both: what is spoken. Then the one that was dialled says who it is, and then the other.
  static io::bytes preamble();
  io::bytes hello() const;
  static coro<io::bytes> read_hello(io::stream& wire);
  /// Errors: `malformed`.
  static greeting understood(const io::bytes& hello, const std::string& seen_at);
  /// From the greetings to the end of the connection. Errors: of the greetings.
  coro<std::optional<node_id>> talk(io::stream wire, bool dialled);
  coro<> converse(io::stream wire, std::shared_ptr<internal::peer> with);
  coro<> read(io::stream& wire, internal::peer& from);
  static coro<> write(io::stream& wire, std::shared_ptr<internal::peer> to);
  coro<> beat(io::stream& wire, std::shared_ptr<internal::peer> with);
  internal::cell* find_own(std::string_view name, const internal::protocol_table& messages);
  void welcome(const std::shared_ptr<internal::peer>& arrived);
  void part(const std::shared_ptr<internal::peer>& gone, const std::string& why);

  loop& home_;
  node_options options_;
  node_info info_;
  bool leaving_ = false;
  io::server listening_;
  struct looked_for {
    task<> looks;
    bool for_good = false;
    std::string trouble;  ///< why there is no connection
  };
  std::map<std::string, looked_for> looking_;  ///< by the address, or the name
  struct told_reasons {
    std::set<std::string> texts;
    std::size_t count = 0;  ///< since then
    time_point since;
  };
  std::map<std::string, told_reasons> told_of_;  ///< why there was no connection
  std::unordered_map<internal::cell*, std::uint64_t> numbers_;
  std::unordered_map<std::uint64_t, exported> exports_;
  std::uint64_t last_number_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> names_;
  event names_changed_;
  std::vector<actor_ref<membership>> watching_;
};

}  // namespace troupe::cluster
