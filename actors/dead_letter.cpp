#include <troupe/actors/dead_letter.hpp>

#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/internal/each_loop.hpp>
#include <troupe/runtime/task.hpp>

#include <string>

namespace troupe {

namespace {
std::string_view text(dead_letter::reason why) noexcept {
  switch (why) {
    case dead_letter::reason::dead:
      return "which is dead or stopping";
    case dead_letter::reason::full:
      return "which has no room for it";
    case dead_letter::reason::dropped:
      return "where it gave way to others";
    case dead_letter::reason::nobody:
      break;
  }
  return "as there is nobody to take it";
}
}  // namespace

void on_dead_letter(const dead_letter_handler& handler) {
  static_cast<void>(internal::running_loop("on_dead_letter"));
  static_cast<void>(internal::on_each_loop(
      [handler] { internal::actor_roots::of_current_loop().letters = handler; }));
}

void internal::count_dead_letter(dead_letter::reason why, cell* to,
                                 const message_info& message) noexcept {
  loop* const here = loop::current();
  if (here == nullptr) return;
  actor_roots& counts = actor_roots::of_current_loop();
  ++counts.dead_letters;
  if (why == dead_letter::reason::full) ++counts.refused_as_full;
  if (why == dead_letter::reason::dropped) ++counts.dropped;
  if (!counts.letters && !here->debug()) return;
  if (to != nullptr) to->retain();
  const dead_letter letter{why, to != nullptr ? any_actor(*to) : any_actor(), message.name};
  if (here->debug())
    here->report({"dead letter: " + std::string(message.name) + " to " + letter.to.description() +
                      ", " + std::string(text(why)),
                  nullptr});
  if (counts.letters) counts.letters(letter);
}

}  // namespace troupe
