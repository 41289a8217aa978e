#include <troupe/actors/cluster/placement.hpp>

#include <troupe/actors/router.hpp>

#include <algorithm>
#include <utility>

namespace troupe::cluster::internal {

namespace {

std::uint64_t weight(std::uint16_t partition, const node_id& of) noexcept {
  using troupe::internal::hash_number;
  return hash_number(hash_number(of.bits[0] + hash_number(of.bits[1])) + partition);
}

/// Whether `one` comes before `other`.
bool precedes(std::uint16_t partition, const node_id& one, const node_id& other) noexcept {
  const std::uint64_t of_one = weight(partition, one);
  const std::uint64_t of_other = weight(partition, other);
  return of_one != of_other ? of_one > of_other : one < other;
}

}  // namespace

placement::placement(placement_user& user, const node_id& self, std::uint64_t life,
                     placement_options options)
    : user_(user), self_(self), life_(life), options_(options), parts_(options.partitions) {}

// --- what follows -----------------------------------------------------------------------------------------------------

bool placement::wanted(const part_state& part) const noexcept {
  return hosting_ && hosts_.size() >= options_.least && part.first == self_;
}

bool placement::all_granted(std::uint16_t number) const noexcept {
  return std::all_of(members_.begin(), members_.end(), [&](const auto& each) {
    const member& other = each.second;
    return !other.met || !other.host || other.parts[number].granted;
  });
}

/// Whether this node has met all that those have met whom it has met.
bool placement::all_seen() {
  std::map<node_id, time_point> unseen;
  bool all = true;
  const time_point now = user_.now();
  for (const auto& [id, other] : members_) {
    if (other.other_partitions) continue;
    if (!other.met) all = false;
    if (!other.host) continue;
    for (const node_id& each : other.seen) {
      const auto known = members_.find(each);
      if (each == self_ || (known != members_.end() && known->second.met)) continue;
      const auto before = unseen_.find(each);
      const time_point since = before != unseen_.end() ? before->second : now;
      unseen.emplace(each, since);
      if (now - since < options_.patience) all = false;
    }
  }
  unseen_ = std::move(unseen);
  return all;
}

void placement::evaluate() {
  look_at_hosts();
  const bool greets = greeting();
  const bool may_begin = all_seen() && !greets;
  for (std::uint32_t index = 0; index < options_.partitions; ++index) {
    const auto number = static_cast<std::uint16_t>(index);
    part_state& part = parts_[index];
    move_on(number, part);
    if (!greets) grant(number, part);
    claim(number, part);
    activate(number, part, may_begin);
  }
  const bool changed = find_routes();
  send_all();
  if (changed) user_.routes_changed();
}

void placement::look_at_hosts() {
  std::vector<node_id> hosts;
  if (hosting_) hosts.push_back(self_);
  for (const auto& [id, other] : members_)
    if (other.met && other.host) hosts.push_back(id);
  std::sort(hosts.begin(), hosts.end());
  if (hosts == hosts_) return;
  hosts_ = std::move(hosts);
  for (std::uint32_t index = 0; index < options_.partitions; ++index) {
    const auto number = static_cast<std::uint16_t>(index);
    const auto first = std::min_element(
        hosts_.begin(), hosts_.end(),
        [&](const node_id& one, const node_id& other) { return precedes(number, one, other); });
    parts_[index].first = first != hosts_.end() ? std::optional(*first) : std::nullopt;
  }
  for (auto& [id, other] : members_) other.out.seen = hosts_;
}

void placement::move_on(std::uint16_t number, part_state& part) {
  const bool wants = wanted(part);
  if (part.state == phase::none && wants) {
    part.state = phase::claiming;
    ++part.round;
    part.since = user_.now();
    for (auto& [id, other] : members_)
      other.parts[number].granted = other.parts[number].asked = false;
  } else if (part.state == phase::claiming && !wants) {
    part.state = phase::draining;  // something may have been handed over to it
    part.since = user_.now();
    if (user_.drain(number)) leave(number, part);
  } else if ((part.state == phase::active || part.state == phase::paused) && !wants) {
    part.state = phase::leaving;
    part.since = user_.now();
    for (auto& [id, other] : members_) {
      if (!other.knows_this || other.other_partitions) continue;
      part.sending.push_back(id);
      other.out.leaving.push_back(number);
    }
  }
  if (part.state == phase::leaving && part.sending.empty()) {
    part.state = phase::draining;
    part.since = user_.now();
    if (user_.drain(number)) leave(number, part);
  }
}

void placement::drained(std::uint16_t partition) {
  part_state& part = parts_[partition];
  if (part.state != phase::draining) return;
  leave(partition, part);
  evaluate();
}

void placement::leave(std::uint16_t number, part_state& part) {
  if (wanted(part)) {  // again
    part.state = phase::paused;
  } else {
    give_up(number, part);
  }
}

void placement::give_up(std::uint16_t number, part_state& part) {
  user_.forget(number);
  for (auto& [id, other] : members_) other.out.released.push_back(number);
  if (part.holder == self_) part.holder.reset();
  part.state = phase::none;
}

void placement::grant(std::uint16_t number, part_state& part) {
  // What is to be handed over goes before.
  if (part.holder || !part.first || part.state == phase::draining) return;
  if (*part.first == self_) {
    if (part.state != phase::none) part.holder = self_;
    return;
  }
  for (const claimant each : part.claims) {
    if (each.who != *part.first) continue;
    part.holder = each.who;
    members_[each.who].out.grants.push_back({number, each.round});
    forget_claim(part, each.who);
    return;
  }
}

void placement::claim(std::uint16_t number, part_state& part) {
  if (part.state == phase::none || part.state >= phase::leaving) return;
  for (auto& [id, other] : members_) {
    per_part& there = other.parts[number];
    if (!other.met || !other.host || there.granted || there.asked) continue;
    there.asked = true;
    other.out.claims.push_back({number, part.round});
  }
}

void placement::activate(std::uint16_t number, part_state& part, bool may_begin) {
  const bool granted = part.holder == self_ && all_granted(number);
  if (part.state == phase::active && !granted) {
    part.state = phase::paused;
  } else if (granted &&
             (part.state == phase::paused || (part.state == phase::claiming && may_begin))) {
    part.state = phase::active;
    part.since = user_.now();
    for (auto& [id, other] : members_) other.out.active.push_back(number);
    user_.begin(number);
  }
}

/// Gives whether messages that wait may go somewhere now.
bool placement::find_routes() {
  bool changed = false;
  for (std::uint32_t index = 0; index < options_.partitions; ++index) {
    part_state& part = parts_[index];
    std::optional<node_id> goes_to;
    if (part.state == phase::active) {
      goes_to = self_;
    } else if (!held(part)) {
      for (const auto& [id, other] : members_)
        if (other.parts[index].active && (!goes_to || part.first == id)) goes_to = id;
    }
    if (goes_to && goes_to != part.goes_to) changed = true;
    part.goes_to = goes_to;
  }
  return changed;
}

void placement::send_all() {
  for (auto& [id, other] : members_) {
    region_update said = std::exchange(other.out, {});
    if (!other.knows_this || other.other_partitions) continue;
    if (said.released.empty() && said.claims.empty() && said.grants.empty() &&
        said.active.empty() && said.leaving.empty() && said.left.empty() && !said.seen)
      continue;
    said.from = self_;
    said.life = life_;
    user_.send(id, std::move(said));
  }
}

void placement::look_at_time() {
  const time_point now = user_.now();
  for (std::uint32_t index = 0; index < options_.partitions; ++index) {
    part_state& part = parts_[index];
    const duration passed = now - part.since;
    if (part.state == phase::leaving && passed >= options_.hand_over) part.sending.clear();
    if (part.state == phase::draining && passed >= 2 * options_.hand_over)
      user_.kill(static_cast<std::uint16_t>(index));
  }
  evaluate();
}

// --- questions --------------------------------------------------------------------------------------------------------

placement::route placement::find(std::uint16_t partition, bool from_elsewhere) const noexcept {
  const part_state& part = parts_[partition];
  // What was sent before others knew that it leaves; but not where somebody else may have it, too.
  const bool still_here = part.state == phase::leaving && from_elsewhere && all_granted(partition);
  if (part.state == phase::active || still_here) return {true, nullptr};
  if (!part.goes_to || part.goes_to == self_) return {};
  return {false, &*part.goes_to};
}

std::vector<node_id> placement::ranked(std::uint16_t partition) const {
  std::vector<node_id> all = hosts_;
  std::sort(all.begin(), all.end(), [&](const node_id& one, const node_id& other) {
    return precedes(partition, one, other);
  });
  return all;
}

bool placement::has_met(const node_id& other) const noexcept {
  const auto known = members_.find(other);
  return known != members_.end() && known->second.met;
}

bool placement::knows(const node_id& other, std::uint64_t life) const noexcept {
  const auto known = members_.find(other);
  if (known == members_.end() || known->second.life == 0) return false;
  return life == 0 || known->second.life == life;
}

const node_id* placement::heir(std::uint16_t partition) const noexcept {
  const part_state& part = parts_[partition];
  return part.first && *part.first != self_ ? &*part.first : nullptr;
}

std::size_t placement::count(phase what) const noexcept {
  return static_cast<std::size_t>(std::count_if(
      parts_.begin(), parts_.end(), [&](const part_state& each) { return each.state == what; }));
}

bool placement::holds_any() const noexcept {
  return std::any_of(parts_.begin(), parts_.end(), held);
}

std::string placement::obstacle(std::uint16_t partition) const {
  const part_state& part = parts_[partition];
  if (hosts_.empty()) return "no node is known that has actors of it";
  if (hosts_.size() < options_.least)
    return std::to_string(hosts_.size()) +
           " nodes are known that have actors of it, and it needs " +
           std::to_string(options_.least);
  if (part.state == phase::claiming) {
    for (const auto& [id, other] : members_)
      if (other.met && other.host && !other.parts[partition].granted)
        return "node " + id.text() + " has not granted it to this one yet";
    return "this node has not met all nodes yet";
  }
  if (held(part)) return "it moves away from this node";
  return "node " + part.first->text() + " has not taken it over yet";
}

std::string placement::disagreement() const {
  if (!hosts_.empty()) return {};
  for (const auto& [id, other] : members_)
    if (other.other_partitions)
      return "node " + id.text() + " has " + std::to_string(*other.other_partitions) +
             " partitions, and this one " + std::to_string(options_.partitions);
  return {};
}

}  // namespace troupe::cluster::internal
