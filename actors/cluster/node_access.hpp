#pragma once

#include <troupe/actors/cluster/node.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::cluster::internal {

/// What is built upon a node, such as topics, needs this of it; the node may have gone meanwhile.
/// Threads: the node's loop.
class node_access {
 public:
  explicit node_access(node& of) noexcept;

  /// What was published under these names is for others of their kind, and no business of programs.
  static constexpr std::string_view reserved = "troupe/";

  bool left() const noexcept;
  loop& home() const noexcept { return home_; }
  const node_id& id() const noexcept { return id_; }
  std::vector<node_id> members() const;
  /// Another one each time.
  std::uint64_t draw_number();

  /// It ends with the node, or here and now when that has left.
  void keep(any_actor who);
  /// Nothing happens when the node has left.
  void publish(std::string name, cell& who, const protocol_table& messages);
  void unpublish(std::string_view name);
  /// The actor with a count, or null.
  cell* find(std::string_view name, const protocol_table& messages);
  cell* find_on(const node_id& where, std::string_view name, const protocol_table& messages);
  /// Waits until something was published, or is no more, anywhere. Errors: `invalid_state` when the node has left.
  coro<> next_name();

  /// Something that the node has once for each name, until it leaves; null at first.
  std::shared_ptr<void>& shared(std::string_view name);
  void forget(std::string_view name) noexcept;

 private:
  std::shared_ptr<node::core> alive() const;
  std::weak_ptr<node::core> core_;
  loop& home_;
  node_id id_;
};

}  // namespace troupe::cluster::internal
