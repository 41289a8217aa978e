#include <troupe/actors/cluster/internal/peer.hpp>
#include <troupe/actors/cluster/remote.hpp>

#include <troupe/actors/handler_activity.hpp>
#include <troupe/runtime/errors.hpp>

#include <utility>

namespace troupe::cluster::internal {

stand_in::stand_in(const remote_target& there, cell& owner, const protocol_table& messages)
    : there_(there), owner_(owner), messages_(messages) {
  owner_.look_after();  // by the peer
  owner_.bound_when_long();
  if (there_.at != nullptr && !there_.at->lost()) {
    there_.at->add(*this);
  } else {
    ended(exit_reason());
  }
}

stand_in::~stand_in() {
  if (there_.at == nullptr) return;
  there_.at->remove(*this);
  // It was killed, or could not wait.
  if (!ended_ && !there_.at->lost() && !owner_.home().shutting_down())
    there_.at->send_stop(there_.number, true);
}

/// Ends the wait of a message for room on its way.
struct stand_in::waiting_end {
  stand_in& by;
  envelope& item;

  const envelope* in_hand() const noexcept { return &item; }
  void succeeded(troupe::internal::outcome<void>&) const noexcept { by.pass_on(item); }
  void failed(cell& owner, std::exception_ptr error) const noexcept {
    troupe::internal::fail_handler(owner, item, std::move(error));
  }
  void stopped(cell& owner) const noexcept { owner.refuse(item); }
};

void stand_in::pass_on(envelope& item) noexcept {
  if (ended_ || there_.at->lost()) return owner_.refuse(item);
  if (item.reply != nullptr && item.reply->withdrawn()) return item.reply->skip();
  if (there_.at->has_room(there_.number)) {
    if (owner_.counted()) owner_.unbound();
    return there_.at->send(*this, item);
  }
  // Only now, since a bound has a price for each message.
  owner_.bound_meanwhile({.capacity = there_.at->most_waiting, .when_full = overflow::suspend});
  troupe::internal::start_activity(owner_, peer::wait_for_room(there_.at, there_.number),
                                   waiting_end{*this, item}, item.info);
}

coro<> stand_in::stop() {
  if (ended_ || there_.at->lost() || owner_.home().shutting_down()) co_return;
  // It crashed here when one that it is linked with did: then the other does not end as if all were well.
  there_.at->send_stop(there_.number, owner_.reason().failed());
  co_await over_.wait();
}

void stand_in::ended(const exit_reason& why) noexcept {
  if (std::exchange(ended_, true)) return;
  over_.set();
  if (why.what() == exit_reason::kind::crashed) owner_.crashed(why.error());
  owner_.request_stop_now(why.what());
}

void stand_in::let_go() noexcept {
  there_.at->remove(*this);
  ended(exit_reason());
}

void put_ref(writer& to, cell* who, const protocol_table& messages) {
  if (to.context == nullptr)
    throw invalid_state("a ref can be sent to a node only: it says nothing elsewhere");
  static_cast<peer*>(to.context)->put_ref(to, who, messages);
}

cell* get_ref(reader& from, const protocol_table& messages) {
  if (from.context == nullptr) reader::refuse("a ref that comes from nowhere");
  return static_cast<peer*>(from.context)->get_ref(from, messages);
}

}  // namespace troupe::cluster::internal
