#pragma once

#include <troupe/actors/cluster/internal/peer.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/task.hpp>

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::cluster {

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

  void look_for(const io::endpoint& there);
  /// Errors: std::invalid_argument.
  void expect_safe(const io::endpoint& at, const char* doing) const;
  /// A peer has told of another.
  void heard_of(const node_id& other, const std::string& address);

  // --- actors that others have refs of ---------------------------------------------------------------------------------

  struct exported {
    any_actor who;
    std::vector<const internal::protocol_table*> tables;
  };
  /// The number under which others know it.
  std::uint64_t number_of(internal::cell& who, const internal::protocol_table& messages);
  exported* find(std::uint64_t number) noexcept;
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
  std::vector<any_actor> factories;  ///< which end with the node
  /// Of what is built upon this: see `node_access`.
  std::map<std::string, std::shared_ptr<void>, std::less<>> shared;
  std::uint64_t numbers_drawn = 0;

 private:
  class ending;
  coro<> serve(io::stream wire);
  coro<> keep_looking(io::endpoint there);
  /// From hello to the end of the connection. Gives whether there was a peer.
  coro<bool> talk(io::stream wire, bool dialled);
  struct greeting {
    greeting() =
        default;  // no aggregate, which g++ 12 would destroy twice inside of a co_await expression
    node_info who;
    std::uint64_t longest = 0;  ///< bytes that it takes at once
  };
  coro<greeting> exchange_hellos(io::stream& wire);
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
  std::map<std::string, task<>> looking_;  ///< by the address
  std::unordered_map<internal::cell*, std::uint64_t> numbers_;
  std::unordered_map<std::uint64_t, exported> exports_;
  std::uint64_t last_number_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> names_;
  event names_changed_;
  std::vector<actor_ref<membership>> watching_;
};

}  // namespace troupe::cluster
