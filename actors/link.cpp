#include <troupe/actors/link.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/system_message.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace troupe::internal {

namespace {

/// The news of an end, on its way to a linked actor. Holds a count of both.
struct end_of_link final : work, pooled {
  end_of_link(cell& peer, cell& ended, exit_reason reason) noexcept
      : work(&end_of_link::arrive), to(peer), about(ended), why(std::move(reason)) {
    to.retain();
    about.retain();
  }
  ~end_of_link() {
    to.release();
    about.release();
  }
  static void arrive(work& item) noexcept {
    const owned<end_of_link> self(static_cast<end_of_link*>(&item));
    self->to.link_ended(self->about, self->why);
  }
  cell& to;
  cell& about;
  exit_reason why;
};

void tell(cell& peer, cell& ended, const exit_reason& why) noexcept {
  if (&peer.home() == loop::current()) return peer.link_ended(ended, why);
  owned<end_of_link> sent(new end_of_link(peer, ended, why));
  if (peer.home().post(*sent)) static_cast<void>(sent.release());
}

/// Has `order` carried out where `to` lives, with a count of `about` for it to give up.
void bring(cell& to, cell& about, system_message::function_type order) noexcept {
  about.retain();
  if (&to.home() == loop::current()) return order(to, &about);
  to.retain();
  system_message::send(to, &about, order);
}

}  // namespace

void link(cell& one, const any_actor& other) {
  cell* const peer = other.cell();
  expects(peer != nullptr, "an actor was to be linked with nobody");
  if (peer == &one || !one.add_link(*peer)) return;
  bring(*peer, one, [](cell& to, cell* about) noexcept {
    if (to.state() == cell::life::dead) {
      tell(*about, to, to.reason());
    } else {
      to.add_link(*about);
    }
    about->release();
  });
}

void unlink(cell& one, const any_actor& other) noexcept {
  cell* const peer = other.cell();
  if (peer == nullptr || !one.remove_link(*peer)) return;
  bring(*peer, one, [](cell& to, cell* about) noexcept {
    to.remove_link(*about);
    about->release();
  });
}

// --- the cell's side --------------------------------------------------------------------------------------------------

bool cell::add_link(cell& peer) {
  auto& known = extra().links;
  if (std::find(known.begin(), known.end(), &peer) != known.end()) return false;
  known.push_back(&peer);
  peer.retain();
  return true;
}

bool cell::remove_link(cell& peer) noexcept {
  auto& known = extra().links;
  if (std::erase(known, &peer) == 0) return false;
  peer.release();
  return true;
}

void cell::break_links() noexcept {
  auto& known = extra().links;
  while (!known.empty()) {
    cell* const peer = known.back();
    known.pop_back();
    tell(*peer, *this, reason());
    peer->release();
  }
}

void cell::link_ended(cell& peer, const exit_reason& why) noexcept {
  // Unlinked, or ended, while the news was on its way.
  if (!remove_link(peer) || stop_wanted() || resting_) return;
  if (class_->send_exited != nullptr) {
    class_->send_exited(*this, peer, why);
    return;
  }
  using kind = exit_reason::kind;
  if (why.what() != kind::crashed && why.what() != kind::killed) return;
  crash(std::make_exception_ptr(link_broken(description() + " was linked with " +
                                            peer.description() + ", which " + why.text())));
}

}  // namespace troupe::internal
