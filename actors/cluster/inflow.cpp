#include <troupe/actors/cluster/internal/inflow.hpp>
#include <troupe/actors/cluster/internal/peer.hpp>

#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/runtime/memory.hpp>

#include <exception>
#include <utility>

namespace troupe::cluster::internal {

namespace {

// For one actor. The more, the less often a peer far away has nothing to send when there is room again.
constexpr std::size_t hold_at = 256;
constexpr std::size_t go_on_at = 64;
// Of a peer: more than can be on its way when it is told to hold back.
constexpr std::size_t most_waiting = 100'000;

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
  arrival(std::shared_ptr<inflow> of, envelope& item, cell& to) noexcept
      : of_(std::move(of)), item_(item), to_(to) {}

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
    of_->settled();
    delete this;
  }

  const std::shared_ptr<inflow> of_;
  envelope& item_;
  cell& to_;
};

inflow::inflow(std::weak_ptr<peer> from, std::uint64_t actor, loop& home, inflow_total all) noexcept
    : from_(std::move(from)), actor_(actor), home_(home), all_(std::move(all)) {}

void inflow::pass_on(envelope& item, cell& to) {
  if (all_->load(std::memory_order_relaxed) >= most_waiting) {
    troupe::internal::count_dead_letter(dead_letter::reason::full, &to, *item.info);
    return item.info->free(item);
  }
  item.reply = new arrival(shared_from_this(), item, to);
  all_->fetch_add(1, std::memory_order_relaxed);
  waiting_.fetch_add(1, std::memory_order_relaxed);
  to.enqueue_sent(item);
  if (held_ || waiting_.load(std::memory_order_relaxed) < hold_at) return;
  held_ = true;
  if (const auto from = from_.lock()) from->send_hold(actor_, true);
}

void inflow::settled() noexcept {
  all_->fetch_sub(1, std::memory_order_relaxed);
  if (waiting_.fetch_sub(1, std::memory_order_relaxed) != go_on_at) return;
  // Soon: what makes room may be about to write a frame.
  static_cast<void>(home_.post_call([self = shared_from_this()] { self->look(); }));
}

void inflow::look() {
  if (!held_ || waiting_.load(std::memory_order_relaxed) >= go_on_at) return;
  held_ = false;
  if (const auto from = from_.lock()) from->send_hold(actor_, false);
}

}  // namespace troupe::cluster::internal
