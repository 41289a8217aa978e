#include <troupe/actors/caf/internal/timeouts.hpp>

#include <troupe/actors/caf/internal/core.hpp>
#include <troupe/actors/caf/internal/unit.hpp>

#include <caf/abstract_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <tuple>
#include <utility>

namespace troupe::internal {

namespace {

// CAF takes the clock's epoch for "not set", and virtual time begins there.
constexpr duration ahead = std::chrono::nanoseconds(1);

time_point loop_time(time_point given) noexcept { return saturating_add(given, -ahead); }

void deliver(caf_unit& on, caf_timeouts::kind what, caf_timeouts::content& held) {
  using kind = caf_timeouts::kind;
  if (what == kind::ordinary || what == kind::multi) {
    held.to->get()->eq_impl(::caf::make_message_id(), held.to, &on,
                            ::caf::timeout_msg{held.type, held.id});
  } else if (what == kind::request) {
    held.to->get()->eq_impl(held.answer, held.to, &on,
                            ::caf::make_error(::caf::sec::request_timeout));
  } else if (held.group) {
    held.group->eq_impl(::caf::make_message_id(), std::move(held.to), &on, std::move(held.message));
  } else {
    held.to->enqueue(std::move(held.element), &on);
  }
}

}  // namespace

// --- those of a loop --------------------------------------------------------------------------------------------------

void caf_timeouts::set(const key& name, time_point due, content what) {
  if (unit_.closed()) return;
  cancel(name);
  const auto place = all_.try_emplace(name, *this, std::move(what)).first;
  place->second.place = place;
  // Who sets it has counted from what `now` said.
  unit_.home().timers().arm(place->second, saturating_add(loop_time(due), unit_.behind()));
}

void caf_timeouts::schedule(time_point due, content what) {
  set({0, kind::message, ++messages_}, due, std::move(what));
}

void caf_timeouts::cancel(const key& name) noexcept {
  const auto place = all_.find(name);
  if (place != all_.end()) remove(place);
}

void caf_timeouts::cancel_all_of(::caf::actor_id actor) noexcept {
  // Those that go may be the last that hold an actor, whose end comes here again: so it is looked up anew each time.
  for (;;) {
    const auto next = all_.lower_bound({actor, kind::ordinary, 0});
    if (next == all_.end() || next->first.actor != actor) return;
    remove(next);
  }
}

void caf_timeouts::clear() noexcept {
  while (!all_.empty()) remove(all_.begin());
}

void caf_timeouts::remove(entries::iterator place) noexcept {
  unit_.home().timers().cancel(place->second);
  const auto removed = all_.extract(place);
}

void caf_timeouts::entry::on_due(timer& self) noexcept {
  auto& item = static_cast<entry&>(self);
  item.owner.due(item);
}

void caf_timeouts::due(entry& item) noexcept {
  const kind what = item.place->first.what;
  auto taken = all_.extract(item.place);
  deliver(unit_, what, taken.mapped().held);
}

// --- CAF's clock ------------------------------------------------------------------------------------------------------

/// Calls `function(timeouts)`, now or soon.
template <class Function>
void caf_clock::where_it_belongs(Function function) {
  if (caf_unit* const here = owner_.unit_here()) return function(here->timeouts());
  caf_unit& first = owner_.first_unit();
  static_cast<void>(first.home().post_call(
      [&first, function = std::move(function)]() mutable { function(first.timeouts()); }));
}

caf_clock::time_point caf_clock::now() const noexcept {
  caf_unit* const here = owner_.unit_here();
  return (here != nullptr ? here->time() : clock::now()) + ahead;
}

void caf_clock::set_ordinary_timeout(time_point t, ::caf::abstract_actor* self,
                                     ::caf::atom_value type, std::uint64_t id) {
  where_it_belongs([t, type, id, to = ::caf::strong_actor_ptr(self->ctrl())](auto& there) {
    const auto number = static_cast<std::uint64_t>(type);
    there.set({to->id(), caf_timeouts::kind::ordinary, number}, t,
              {.to = to, .type = type, .id = id});
  });
}

void caf_clock::set_multi_timeout(time_point t, ::caf::abstract_actor* self, ::caf::atom_value type,
                                  std::uint64_t id) {
  where_it_belongs([t, type, id, to = ::caf::strong_actor_ptr(self->ctrl())](auto& there) {
    there.set({to->id(), caf_timeouts::kind::multi, id}, t, {.to = to, .type = type, .id = id});
  });
}

void caf_clock::set_request_timeout(time_point t, ::caf::abstract_actor* self,
                                    ::caf::message_id id) {
  where_it_belongs([t, id, to = ::caf::strong_actor_ptr(self->ctrl())](auto& there) {
    there.set({to->id(), caf_timeouts::kind::request, id.integer_value()}, t,
              {.to = to, .answer = id});
  });
}

void caf_clock::cancel_ordinary_timeout(::caf::abstract_actor* self, ::caf::atom_value type) {
  where_it_belongs([type, actor = self->id()](auto& there) {
    there.cancel({actor, caf_timeouts::kind::ordinary, static_cast<std::uint64_t>(type)});
  });
}

void caf_clock::cancel_request_timeout(::caf::abstract_actor* self, ::caf::message_id id) {
  where_it_belongs([id, actor = self->id()](auto& there) {
    there.cancel({actor, caf_timeouts::kind::request, id.integer_value()});
  });
}

void caf_clock::cancel_timeouts(::caf::abstract_actor* self) {
  where_it_belongs([actor = self->id()](auto& there) { there.cancel_all_of(actor); });
}

void caf_clock::schedule_message(time_point t, ::caf::strong_actor_ptr receiver,
                                 ::caf::mailbox_element_ptr content) {
  where_it_belongs([t, to = std::move(receiver), held = std::move(content)](auto& there) mutable {
    there.schedule(t, {.to = std::move(to), .element = std::move(held)});
  });
}

void caf_clock::schedule_message(time_point t, ::caf::group target, ::caf::strong_actor_ptr sender,
                                 ::caf::message content) {
  where_it_belongs([t, to = std::move(target), from = std::move(sender),
                    held = std::move(content)](auto& there) mutable {
    there.schedule(t, {.to = std::move(from), .group = std::move(to), .message = std::move(held)});
  });
}

void caf_clock::cancel_all() {
  owner_.each_unit([](caf_unit& each) {
    static_cast<void>(each.home().post_call([&each] { each.timeouts().clear(); }));
  });
}

}  // namespace troupe::internal
