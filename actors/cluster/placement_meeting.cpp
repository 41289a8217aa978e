#include <troupe/actors/cluster/placement.hpp>

#include <algorithm>
#include <utility>

namespace troupe::cluster::internal {

// --- meeting ----------------------------------------------------------------------------------------------------------

void placement::set_hosting(bool hosting) {
  if (std::exchange(hosting_, hosting) == hosting) return;
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

}  // namespace troupe::cluster::internal
