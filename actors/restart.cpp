// The cell's side of supervision: falling, resting, and starting again.
#include <troupe/actors/cell.hpp>

#include <troupe/actors/internal/belongings.hpp>
#include <troupe/actors/keeper.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/actors/order.hpp>
#include <troupe/actors/supervise.hpp>

#include <utility>

namespace troupe::internal {

namespace {
/// Its address marks what `put_news` has put: news for the object that there is then.
void news_of_object(work&) noexcept {}
/// Such a one comes from another loop.
void news_arrive(work& item) noexcept {
  auto& delivered = static_cast<envelope&>(item);
  cell& target = *std::exchange(delivered.target, nullptr);
  target.put_news(delivered);
  target.release();
}
/// And this one a message that waits for its second time.
void tried_before(work&) noexcept {}
}  // namespace

void cell::supervised_as(restart when, callable<void(cell&)> construct) {
  supervised_ = true;
  extra().when = when;
  extra().construct = std::move(construct);
}

void cell::retries(const message_copies& copies) {
  if (class_->interleaves != nullptr) return;
  extra().copies = &copies;
  gate_ |= gate_retries;
}

void cell::keep_copy(const envelope& item) noexcept {
  drop_copy();
  cell_extra& known = extra();
  if (item.is_place() || item.run == &tried_before) return;
  // The next object has asked for no news, and set no timer.
  if (item.run == &news_of_object || keyed_timer::is_message(item)) return;
  if (item.reply != nullptr && item.reply->withdrawn()) return;
  try {
    known.copy_in_hand = known.copies->copy(item);
    known.copy_of_ask = item.reply != nullptr;
  } catch (...) {
    home_->report({description() + " could not copy " + std::string(item.info->name) +
                       ", which will not be tried again if it fails",
                   std::current_exception()});
  }
}

void cell::drop_copy() noexcept {
  if (envelope* const copy = std::exchange(extra().copy_in_hand, nullptr)) copy->info->free(*copy);
}

bool cell::try_again(reply_slot* reply) noexcept {
  if (!retries()) return false;
  cell_extra& known = extra();
  // An ask whose reply the handler has put elsewhere, or whose asker waits no more, is not.
  if (known.copy_in_hand == nullptr || !will_fall() || known.copy_of_ask != (reply != nullptr) ||
      (reply != nullptr && reply->withdrawn()))
    return false;
  envelope* again = std::exchange(known.copy_in_hand, nullptr);
  if (reply != nullptr) {
    envelope& request = const_cast<open_ask*>(reply->as_ask())->request();
    known.copies->restore(request, *again);
    again = &request;
  }
  again->run = &tried_before;
  put_first(*again);
  return true;
}

void cell::construct_supervised() {
  cell* const outer = std::exchange(constructing, this);
  try {
    extra().construct(*this);
  } catch (...) {
    constructing = outer;
    throw;
  }
  constructing = outer;
}

void supervise_as(cell& parent, const supervision& rules) { parent.supervisor().set(rules); }

void start_supervised(cell& made, cell& parent, const child_options& options,
                      callable<void(cell&)> construct, const message_copies* copies) {
  made.supervised_as(options.when, std::move(construct));
  if (options.message == in_hand::retry_once && copies != nullptr) made.retries(*copies);
  parent.supervisor().add(made, options);
  if (&made.home() == loop::current()) {
    try {
      made.construct_supervised();
    } catch (...) {
      made.not_supervised();
      parent.supervisor().gone(made);
      made.begin_without_object(std::current_exception());
      throw;
    }
    made.begin();
    return;
  }
  carry_out(made, [](cell& to) noexcept {
    try {
      to.construct_supervised();
    } catch (...) {
      to.begin_without_object(std::current_exception());  // it falls
      return;
    }
    to.begin();
  });
}

void stop_child(cell& parent, const any_actor& child) noexcept {
  if (child.cell() != nullptr && child.cell()->parent() == &parent)
    child.cell()->request_stop(exit_reason::kind::parent);
}

void restart_child(cell& parent, const any_actor& child) {
  if (child.cell() != nullptr) parent.supervisor().restart_by_hand(*child.cell());
}

keeper& cell::supervisor() {
  keeper*& known = extra().children;
  if (known == nullptr) known = new keeper(*this);
  return *known;
}

void cell::drop_keeper() noexcept { delete std::exchange(extra().children, nullptr); }

bool cell::will_fall() const noexcept {
  if (for_good_) return false;
  if (fall_ordered_) return true;
  switch (known_extra()->when) {
    case restart::permanent:
      return true;
    case restart::transient:
      return ended_as_ == exit_reason::kind::crashed || ended_as_ == exit_reason::kind::killed;
    case restart::temporary:
      return false;
  }
  return false;
}

void cell::crash(const std::exception_ptr& error) noexcept {
  if (life_ >= life::stopping || resting_) return;
  stop_after_crash(error);
  pay_attention();
}

// --- down -------------------------------------------------------------------------------------------------------------

void cell::request_fall() noexcept {
  if (home_ != loop::current()) {
    send_order(*this, [](cell& to) noexcept { to.request_fall(); });
    return;
  }
  if (life_ >= life::stopping || stop_wanted_ || resting_) return;
  fall_ordered_ = stop_wanted_ = true;
  ended_as_ = exit_reason::kind::stopped;
  pay_attention();
}

bool cell::stop_supervised(exit_reason::kind why) noexcept {
  // The order has crossed the news of its end: its parent, on another loop, may be reading that.
  if (life_ == life::dead) return true;
  if (why == exit_reason::kind::stopped) {
    if (falling_) return true;  // it stops already
    if (!resting_) return false;
    if (extra().when == restart::permanent) return true;  // and would come back after this
  }
  for_good_ = true;
  if (!resting_ && !falling_) return false;
  // Its last reason is what its monitors should hear.
  if (ended_as_ == exit_reason::kind::stopped) ended_as_ = why;
  if (falling_) {
    falling_ = false;
    gate_ |= gate_closed;
    refuse_waiting();
    return true;
  }
  resting_ = false;
  stop_wanted_ = true;
  pay_attention();
  return true;
}

void cell::begin_fall() noexcept {
  life_ = life::stopping;
  falling_ = true;
  cancel_monitors();
  stop_process();
  advance_stop();
}

void cell::put_news(envelope& item) noexcept {
  if (home_ != this_thread.current_loop) return post(item, &news_arrive);
  item.run = &news_of_object;
  accept(item);
}

void cell::drop_news() noexcept {
  take_up_waiting();
  for (work** link = mailbox_.first_link(); *link != nullptr;) {
    if ((*link)->run == &news_of_object) {
      discard(link);
    } else {
      link = &(*link)->next;
    }
  }
}

void cell::rest() noexcept {
  drop_news();  // the next object has set neither monitor nor link, and has none of these children
  falling_ = fall_ordered_ = stop_wanted_ = on_stop_done_ = in_on_start_ = false;
  constructed_ = false;
  if (draining_) {
    draining_ = false;
    std::exchange(extra().drain_limit, {}).cancel();
    gate_ &= static_cast<std::uint8_t>(~gate_closed);
  }
  resting_ = attention_ = true;
  life_ = life::starting;
  tell_parent([](cell& to, cell* about) noexcept {
    if (cell_extra* const known = to.known_extra(); known != nullptr && known->children != nullptr)
      known->children->fell(*about);
  });
}

void cell::tell_parent_elsewhere(news what) noexcept {
  send_order(*parent_, [what, this](cell& to) noexcept { what(to, this); });
}

// --- and up -----------------------------------------------------------------------------------------------------------

void cell::request_revival() noexcept {
  if (home_ != loop::current()) {
    send_order(*this, [](cell& to) noexcept { to.request_revival(); });
    return;
  }
  if (!resting_) return;
  resting_ = false;
  coming_up_ = true;
  ended_as_ = exit_reason::kind::stopped;
  extra().crash = nullptr;
  try {
    construct_supervised();
    constructed_ = true;
    if (traced()) trace_restart();
  } catch (...) {
    // What the constructor may have started is taken down with it.
    crashed(std::current_exception());
    stop_wanted_ = true;
    extra().tasks.cancel_all_for_good();
  }
  make_ready();
}

void cell::came_up() noexcept {
  coming_up_ = false;
  if (!extra().start_watched_by.empty()) extra().start_watched_by.tell_all(reason());
  if (!supervised_) return;
  tell_parent([](cell& to, cell* about) noexcept {
    if (cell_extra* const known = to.known_extra(); known != nullptr && known->children != nullptr)
      known->children->came_up(*about);
  });
}

}  // namespace troupe::internal
