#include <troupe/actors/stash.hpp>

#include <troupe/actors/internal/belongings.hpp>

#include <string>
#include <utility>

namespace troupe::internal {

void stash_list::drop_withdrawn() noexcept {
  const auto is_withdrawn = [](const envelope& item) noexcept {
    return item.reply != nullptr && item.reply->withdrawn();
  };
  while (work** const place = items_.find(is_withdrawn)) {
    --size_;
    items_.take(place).reply->skip();
  }
}

void expect_stash_room(cell& owner, const message_info& of) {
  stash_list& list = owner.kept().stash;
  if (!list.full()) return;
  list.drop_withdrawn();
  if (!list.full()) return;
  throw stash_full(owner.description() + " has put aside " + std::to_string(list.size()) +
                   " messages, as many as it may, and has no room for " + std::string(of.name));
}

void stash(cell& owner, envelope& item) {
  if (owner.state() >= cell::life::stopping) {
    owner.refuse(item);
  } else {
    owner.kept().stash.push(item);
  }
}

std::size_t unstash(cell& owner, std::size_t most) noexcept {
  belongings* const kept = owner.kept_already();
  if (kept == nullptr) return 0;
  // One after the other before all others: the youngest of them first.
  work* youngest_first = nullptr;
  std::size_t count = 0;
  for (; count != most; ++count) {
    envelope* const next = kept->stash.pop();
    if (next == nullptr) break;
    next->next = std::exchange(youngest_first, next);
  }
  while (youngest_first != nullptr) {
    auto& item = static_cast<envelope&>(*youngest_first);
    youngest_first = item.next;
    owner.put_first(item);
  }
  return count;
}

std::size_t stashed(const cell& owner) noexcept {
  const belongings* const kept = owner.kept_already();
  return kept != nullptr ? kept->stash.size() : 0;
}

void set_stash_capacity(cell& owner, std::size_t most) { owner.kept().stash.capacity = most; }

}  // namespace troupe::internal
