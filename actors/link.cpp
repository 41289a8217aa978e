#include <troupe/actors/link.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/order.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace troupe::internal {

namespace {

void tell(cell& peer, cell& ended, const exit_reason& why) noexcept {
  carry_out(peer, [about = any_actor::of(ended), why](cell& to) noexcept {
    to.link_ended(*about.cell(), why);
  });
}

}  // namespace

void link(cell& one, const any_actor& other) {
  cell* const peer = other.cell();
  expects(peer != nullptr, "an actor was to be linked with nobody");
  if (peer == &one || !one.add_link(*peer)) return;
  carry_out(*peer, [about = any_actor::of(one)](cell& to) noexcept {
    if (to.state() == cell::life::dead) {
      tell(*about.cell(), to, to.reason());
    } else {
      to.add_link(*about.cell());
    }
  });
}

void unlink(cell& one, const any_actor& other) noexcept {
  cell* const peer = other.cell();
  if (peer == nullptr || !one.remove_link(*peer)) return;
  carry_out(*peer,
            [about = any_actor::of(one)](cell& to) noexcept { to.remove_link(*about.cell()); });
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
