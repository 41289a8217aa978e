#include <troupe/actors/cluster/internal/node_core.hpp>
#include <troupe/actors/cluster/node_access.hpp>

#include <troupe/runtime/errors.hpp>

#include <utility>

namespace troupe::cluster {

std::vector<published_name> node::names() const {
  const auto is_public = [](std::string_view name) {
    return !name.starts_with(internal::node_access::reserved);
  };
  std::vector<published_name> all;
  for (const auto& [name, number] : core_->names())
    if (is_public(name)) all.push_back({name, info().id});
  for (const auto& [id, each] : core_->peers)
    for (const auto& [name, number] : each->names)
      if (is_public(name)) all.push_back({name, id});
  return all;
}

namespace internal {

static_assert(factories.starts_with(node_access::reserved));

node_access::node_access(node& of) noexcept
    : core_(of.core_), home_(of.core_->home()), id_(of.info().id) {}

std::shared_ptr<node::core> node_access::alive() const {
  std::shared_ptr<node::core> found = core_.lock();
  return found != nullptr && !found->leaving() ? found : nullptr;
}

bool node_access::left() const noexcept { return alive() == nullptr; }

std::vector<node_id> node_access::members() const {
  std::vector<node_id> all;
  if (const auto core = alive())
    for (const auto& [id, each] : core->peers) all.push_back(id);
  return all;
}

std::uint64_t node_access::draw_number() {
  const auto core = alive();
  return core != nullptr ? ++core->numbers_drawn : 0;
}

void node_access::keep(any_actor who) {
  const auto core = alive();
  if (core == nullptr) return who.stop();
  core->kept.push_back(std::move(who));
}

void node_access::publish(std::string name, cell& who, const protocol_table& messages) {
  if (const auto core = alive()) core->publish(std::move(name), who, messages);
}

void node_access::unpublish(std::string_view name) {
  if (const auto core = alive()) core->unpublish(name);
}

cell* node_access::find(std::string_view name, const protocol_table& messages) {
  const auto core = alive();
  return core != nullptr ? core->find(name, messages) : nullptr;
}

cell* node_access::find_on(const node_id& where, std::string_view name,
                           const protocol_table& messages) {
  const auto core = alive();
  return core != nullptr ? core->find_on(where, name, messages) : nullptr;
}

coro<> node_access::next_name() {
  const auto core = alive();
  if (core == nullptr) throw invalid_state("the node has left");
  co_await core->next_name();
}

std::shared_ptr<void>& node_access::shared(std::string_view name) {
  if (loop::current() != &home_)
    throw invalid_state("'" + std::string(name) + "' was to be used off the loop of its node");
  const auto core = alive();
  if (core == nullptr) throw invalid_state("the node has left");
  return core->shared[std::string(name)];
}

void node_access::forget(std::string_view name) noexcept {
  const auto core = alive();
  if (core == nullptr) return;
  const auto known = core->shared.find(name);
  if (known != core->shared.end()) core->shared.erase(known);
}

}  // namespace internal
}  // namespace troupe::cluster
