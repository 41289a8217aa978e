#include <troupe/actors/cluster/topic.hpp>

#include <troupe/actors/cluster/wire.hpp>
#include <troupe/actors/name_errors.hpp>

#include <stdexcept>

namespace troupe::cluster::internal {

std::string hub_name(std::string_view topic) {
  constexpr std::size_t longest = 1000;
  if (!is_name(topic, longest))
    throw std::invalid_argument(
        "a topic needs a name, of up to 1000 bytes and without control characters");
  return std::string(node_access::reserved) + "topic/" + std::string(topic);
}

std::shared_ptr<any_topic> known_topic(node_access on, std::string_view name,
                                       const troupe::internal::message_info& of) {
  const auto& place = on.shared(hub_name(name));
  if (place == nullptr) return nullptr;
  auto found = std::static_pointer_cast<std::weak_ptr<any_topic>>(place)->lock();
  if (found != nullptr && &found->of != &of)
    throw name_mismatch("\"" + std::string(name) + "\" is a topic of " +
                        std::string(found->of.name) + " on this node, not of " +
                        std::string(of.name));
  return found;
}

void keep_topic(node_access on, const std::shared_ptr<any_topic>& made) {
  on.shared(made->name) = std::make_shared<std::weak_ptr<any_topic>>(made);
}

void forget_topic(node_access on, const std::string& hub) noexcept {
  if (on.left()) return;
  const auto& place = on.shared(hub);
  if (place == nullptr || std::static_pointer_cast<std::weak_ptr<any_topic>>(place)->expired())
    on.forget(hub);
}

}  // namespace troupe::cluster::internal
