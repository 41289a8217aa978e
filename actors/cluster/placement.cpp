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

// --- meeting ----------------------------------------------------------------------------------------------------------

void placement::set_hosting(bool hosting) {
  if (std::exchange(hosting_, hosting) != hosting) greet_all();
}

void placement::greet_all() {
  for (const auto& [id, other] : members_) {
    const bool is_asked = asked_ == id;
    if ((other.met || is_asked) && std::find(to_ask_.begin(), to_ask_.end(), id) == to_ask_.end())
      to_ask_.push_back(id);
  }
  ask_next();
  evaluate();
}

void placement::found(const node_id& other) {
  if (!members_.contains(other)) {
    members_[other].parts.resize(options_.partitions);
    if (self_ < other) to_ask_.push_back(other);  // of two the lower one says hello first
    ask_next();
  }
  evaluate();
}

/// One after the other: what is said to one holds until he has answered.
void placement::ask_next() {
  while (!asked_ && !to_ask_.empty()) {
    const node_id next = to_ask_.front();
    to_ask_.pop_front();
    const auto known = members_.find(next);
    if (known == members_.end()) continue;
    asked_ = next;
    known->second.knows_this = true;
    user_.send(next, hello_for(next, known->second, false));
  }
}

region_hello placement::hello_for(const node_id& to, member& other, bool answer) {
  region_hello made;
  made.from = self_;
  made.life = life_;
  made.answer = answer;
  made.hosts = hosting_;
  made.partitions = options_.partitions;
  made.seen = hosts_;
  for (std::uint32_t index = 0; index < options_.partitions; ++index) {
    const auto number = static_cast<std::uint16_t>(index);
    const part_state& mine = parts_[index];
    if (!answer) other.parts[index].offered = held(mine) ? mine.round : 0;
    if (held(mine)) made.held.push_back({number, mine.round});
    if (mine.state == phase::active || mine.state == phase::paused) made.active.push_back(number);
    const bool is_asked = std::any_of(mine.claims.begin(), mine.claims.end(),
                                      [&](const claimant& each) { return each.who == to; });
    if (is_asked || (mine.holder && *mine.holder != to)) made.taken.push_back(number);
  }
  return made;
}

void placement::receive(const region_hello& said) {
  if (knows(said.from, 0) && !knows(said.from, said.life)) remove(said.from);
  if (said.answer && asked_ != said.from) return;
  member& other = members_[said.from];
  other.parts.resize(options_.partitions);
  other.life = said.life;
  if (said.partitions != options_.partitions) {
    if (!other.other_partitions)
      user_.disagrees("node " + said.from.text() + " has " + std::to_string(said.partitions) +
                      " partitions, and this one " + std::to_string(options_.partitions) +
                      ": all have to have as many");
    other.other_partitions = said.partitions;
  } else {
    other.met = true;
    apply(said.from, other, said);
  }
  if (said.answer) {
    asked_.reset();
  } else {
    other.knows_this = true;
    std::erase(to_ask_, said.from);  // the answer says the same
    user_.send(said.from, hello_for(said.from, other, true));
  }
  ask_next();
  evaluate();
}

void placement::apply(const node_id& from, member& other, const region_hello& said) {
  other.host = said.hosts;
  other.seen = said.seen;
  for (per_part& each : other.parts) each.active = false;
  for (const std::uint16_t each : said.active)
    if (each < options_.partitions) other.parts[each].active = true;
  // What it has is granted to it, unless somebody else has that; or may have by what another is told just now.
  for (const claimed& each : said.held) {
    if (each.number >= options_.partitions) continue;
    part_state& mine = parts_[each.number];
    if (mine.holder == from) continue;
    forget_claim(mine, from);
    if (!mine.holder && (said.answer || !greeting())) {
      mine.holder = from;
    } else {
      mine.claims.push_back({from, each.round});
    }
  }
  std::vector<bool> taken(options_.partitions);
  for (const std::uint16_t each : said.taken)
    if (each < options_.partitions) taken[each] = true;
  for (std::uint32_t index = 0; index < options_.partitions; ++index) {
    per_part& there = other.parts[index];
    const part_state& mine = parts_[index];
    if (!held(mine)) continue;
    if (taken[index]) {
      there.granted = there.asked = false;
    } else if (!said.answer || there.offered == mine.round) {
      there.granted = true;
    }
  }
}

void placement::lost(const node_id& other) {
  if (!members_.contains(other)) return;
  remove(other);
  ask_next();
  evaluate();
}

void placement::remove(const node_id& other) {
  members_.erase(other);
  std::erase(to_ask_, other);
  if (asked_ == other) asked_.reset();
  for (part_state& each : parts_) {
    if (each.holder == other) each.holder.reset();
    forget_claim(each, other);
    std::erase(each.sending, other);
  }
}

void placement::forget_claim(part_state& part, const node_id& who) {
  std::erase_if(part.claims, [&](const claimant& each) { return each.who == who; });
}

void placement::receive(const region_update& said) {
  const auto known = members_.find(said.from);
  if (known == members_.end() || !known->second.met || known->second.life != said.life) return;
  member& other = known->second;
  const auto is_one = [&](std::uint16_t number) { return number < options_.partitions; };
  for (const std::uint16_t each : said.released) {
    if (!is_one(each)) continue;
    if (parts_[each].holder == said.from) parts_[each].holder.reset();
    forget_claim(parts_[each], said.from);
  }
  for (const claimed& each : said.claims) {
    if (!is_one(each.number)) continue;
    part_state& mine = parts_[each.number];
    forget_claim(mine, said.from);
    if (mine.holder == said.from) {
      other.out.grants.push_back(each);
    } else {
      mine.claims.push_back({said.from, each.round});
    }
  }
  for (const claimed& each : said.grants)
    if (is_one(each.number) && parts_[each.number].round == each.round)
      other.parts[each.number].granted = true;
  for (const std::uint16_t each : said.active)
    if (is_one(each)) other.parts[each].active = true;
  for (const std::uint16_t each : said.leaving) {
    if (!is_one(each)) continue;
    other.parts[each].active = false;
    other.out.left.push_back(each);
  }
  for (const std::uint16_t each : said.left)
    if (is_one(each)) std::erase(parts_[each].sending, said.from);
  if (said.seen) other.seen = *said.seen;
  evaluate();
}

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
    give_up(number, part);
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
  user_.hand_over(number, heir(number));
  for (auto& [id, other] : members_) other.out.released.push_back(number);
  if (part.holder == self_) part.holder.reset();
  part.state = phase::none;
}

void placement::grant(std::uint16_t number, part_state& part) {
  if (part.holder || !part.first) return;
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
  if (part.state == phase::active || (part.state == phase::leaving && from_elsewhere))
    return {true, nullptr};
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
