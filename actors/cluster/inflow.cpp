#include <troupe/actors/cluster/internal/inflow.hpp>
#include <troupe/actors/cluster/internal/peer.hpp>

#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/runtime/memory.hpp>

#include <exception>
#include <utility>

namespace troupe::cluster::internal {

namespace {

// In bytes, and for one actor. The more, the less often a peer far away has nothing to send when there is room again.
constexpr std::size_t pause_at = std::size_t{1} << 16;
constexpr std::size_t resume_below = std::size_t{1} << 14;
// That an actor is on another loop takes what has come at once there: it is no sign that it has no room.
constexpr std::size_t pause_elsewhere_at = std::size_t{1} << 23;
// Of a peer: more than is on its way when it is told to pause, unless its system keeps more of a connection.
constexpr std::size_t most_of_peer = std::size_t{1} << 26;
// What a message takes here beside its bytes.
constexpr std::size_t overhead = 64;

dead_letter::reason reason_of(const std::exception_ptr& error) noexcept {
  try {
    if (error != nullptr) std::rethrow_exception(error);
  } catch (const mailbox_full&) {
    return dead_letter::reason::full;
  } catch (...) {
  }
  return dead_letter::reason::dead;
}

}  // namespace

/// A message on its way into the mailbox.
class inflow::arrival final : public troupe::internal::reply_slot, public troupe::internal::pooled {
 public:
  arrival(std::shared_ptr<inflow> of, envelope& item, std::size_t weight, cell& to) noexcept
      : of_(std::move(of)), item_(item), weight_(weight), to_(to) {}

  bool withdrawn() const noexcept override { return false; }
  bool admitted(envelope& item) noexcept override {
    item.reply = nullptr;
    end();
    return true;
  }
  void fail(std::exception_ptr error) noexcept override {
    troupe::internal::count_dead_letter(reason_of(error), &to_, *item_.info);
    item_.reply = nullptr;
    item_.info->free(item_);
    end();
  }

 private:
  void end() noexcept {
    of_->settled(weight_);
    delete this;
  }

  const std::shared_ptr<inflow> of_;
  envelope& item_;
  const std::size_t weight_;
  cell& to_;
};

inflow::inflow(std::weak_ptr<peer> from, std::uint64_t actor, loop& home, inflow_total all) noexcept
    : from_(std::move(from)), actor_(actor), home_(home), all_(std::move(all)) {}

void inflow::pass_on(envelope& item, std::size_t bytes, cell& to) {
  const std::size_t limit = &to.home() == &home_ ? pause_at : pause_elsewhere_at;
  const auto is_much = [&] { return waiting_.load(std::memory_order_relaxed) >= limit; };
  if (all_->load(std::memory_order_relaxed) >= most_of_peer && is_much()) {
    troupe::internal::count_dead_letter(dead_letter::reason::full, &to, *item.info);
    return item.info->free(item);
  }
  const std::size_t weight = bytes + overhead;
  // Limits of types let one past the others; who is told to pause would keep it back.
  const bool may_pause = to.type().limit_count == 0;
  item.reply = new arrival(shared_from_this(), item, weight, to);
  all_->fetch_add(weight, std::memory_order_relaxed);
  waiting_.fetch_add(weight, std::memory_order_relaxed);
  to.enqueue_sent(item);
  if (paused_ || !may_pause || !is_much()) return;
  paused_ = true;
  say_again();
}

void inflow::say_again() {
  if (!paused_) return;
  if (const auto from = from_.lock()) from->send_pause(actor_, true);
}

void inflow::settled(std::size_t weight) noexcept {
  all_->fetch_sub(weight, std::memory_order_relaxed);
  const std::size_t before = waiting_.fetch_sub(weight, std::memory_order_relaxed);
  if (before < resume_below || before - weight >= resume_below) return;
  // Soon: what makes room may be about to write a frame.
  static_cast<void>(home_.post_call([self = shared_from_this()] { self->look(); }));
}

void inflow::look() {
  if (!paused_ || waiting_.load(std::memory_order_relaxed) >= resume_below) return;
  paused_ = false;
  if (const auto from = from_.lock()) from->send_pause(actor_, false);
}

}  // namespace troupe::cluster::internal
