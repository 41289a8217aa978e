#include <troupe/actors/topic.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/internal/counted.hpp>
#include <troupe/actors/internal/names.hpp>
#include <troupe/actors/order.hpp>
#include <troupe/actors/trace.hpp>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::internal {

namespace {

/// One actor's place among the subscribers of a topic, which it keeps. Counted: by the topic's list, by the actor's list of watchers.
class subscriber final : public watcher, public pooled {
 public:
  subscriber(topic_state& of, cell& who, const subscription_options& options) noexcept;

  void told(const exit_reason& why) noexcept override;
  void keep() noexcept override { count_.add(); }
  void let_go() noexcept override {
    if (count_.drop()) delete this;
  }

  cell& who() const noexcept { return who_; }
  bool active() const noexcept { return active_.load(std::memory_order_relaxed); }
  void end() noexcept { active_.store(false, std::memory_order_relaxed); }
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

  /// The one place where a message is handed to a subscriber. Returns false when it has no room.
  bool deliver(const void* message, envelope* (*copied)(const void*));

 private:
  ~subscriber();
  /// Is sent behind a message to one with a bound, and comes out of its mailbox when that has been handled. With `drop_oldest` it knows
  /// the message, and the subscriber knows it, so that both can be taken out again.
  struct mark final : envelope, reply_slot, pooled {
    explicit mark(subscriber& given) noexcept : envelope(passed_over, this), to(given) {}
    bool withdrawn() const noexcept override { return false; }
    void fail(std::exception_ptr) noexcept override { come_out(*this); }
    static void come_out(envelope& item) noexcept {
      const owned<mark> self(static_cast<mark*>(&item));
      self->to.came_out(*self);
      self->to.let_go();
    }
    static void reached(envelope& item) noexcept {
      come_out(item);
    }  // and not the same, for it is no message
    static constexpr message_info passed_over{.name = "the word that a message has been handled",
                                              .free = &mark::come_out,
                                              .reached = &mark::reached,
                                              .always_fits = true};
    subscriber& to;
    envelope* message = nullptr;
    mark* older = nullptr;
    mark* newer = nullptr;
  };

  void came_out(mark& handled) noexcept;
  void count_lost() noexcept;
  /// Of one with `drop_oldest`: makes room, and puts the message and its mark into the mailbox. On the subscriber's loop, like what follows.
  void admit(mark& arrived) noexcept;
  void make_room() noexcept;
  void unlist(mark& gone) noexcept;
  /// Its address says that a message in the mailbox is one of these.
  static void waits_here(work&) noexcept {}

  topic_state& topic_;
  cell& who_;
  const subscription_options options_;
  std::atomic<std::size_t> on_the_way_{
      0};  ///< messages that have not been handled; counted with a bound only
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<bool> active_{true};
  // Of one with `drop_oldest`, on its loop: the marks in its mailbox.
  mark* oldest_ = nullptr;
  mark* newest_ = nullptr;
  std::size_t marks_ = 0;
  ref_count count_{2};
};

}  // namespace

/// What the handles of a topic share. Counted by them and by the subscribers; its name, if it has one, does not keep it.
class topic_state final : public pooled {
 public:
  explicit topic_state(const message_info& given) noexcept : of(given) {}

  void keep() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  void let_go() noexcept {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// False when the last count has gone, on some thread that is about to destroy it.
  bool try_keep() noexcept {
    std::uint32_t seen = count_.load(std::memory_order_relaxed);
    while (seen != 0) {
      if (count_.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  /// Takes it out of the list, if it is there.
  bool remove(const cell* who) noexcept;

  const message_info& of;
  std::string name;
  names* named_in = nullptr;  ///< counted, when it has a name
  versioned<std::vector<counted<subscriber>>> list;

 private:
  ~topic_state();
  std::atomic<std::uint32_t> count_{1};
};

topic_state::~topic_state() {
  if (named_in == nullptr) return;
  {
    const std::scoped_lock lock(named_in->mutex);
    const auto at = named_in->topics.find(name);
    if (at != named_in->topics.end() && at->second == this) named_in->topics.erase(at);
  }
  named_in->release();
}

bool topic_state::remove(const cell* who) noexcept {
  counted<subscriber> left;
  list.change([&](std::vector<counted<subscriber>>& all) {
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const auto& each) { return &each->who() == who; });
    if (at == all.end()) return;
    left = std::move(*at);
    all.erase(at);
  });
  if (!left) return false;
  left->end();
  unwatch(left->who(), *left);
  return true;
}

subscriber::subscriber(topic_state& of, cell& who, const subscription_options& options) noexcept
    : topic_(of), who_(who), options_(options) {
  topic_.keep();
  who_.retain();
}

subscriber::~subscriber() {
  who_.release();
  topic_.let_go();
}

bool subscriber::deliver(const void* message, envelope* (*copied)(const void*)) {
  if (options_.capacity == 0) {
    who_.enqueue(*copied(message));
    return true;
  }
  if (options_.when_full == lag::drop_oldest) {
    owned<mark> behind(new mark(*this));
    behind->message = copied(message);
    keep();
    mark& sent = *behind.release();
    if (&who_.home() != loop::current() && troupe::internal::maybe_traced())
      trace_posted(*sent.message, who_);
    if (!carry_out(who_, [&sent](cell&) noexcept { sent.to.admit(sent); })) {
      who_.refuse(*sent.message);
      mark::come_out(sent);
    }
    return true;
  }
  if (on_the_way_.fetch_add(1, std::memory_order_relaxed) >= options_.capacity) {
    on_the_way_.fetch_sub(1, std::memory_order_relaxed);
    if (options_.when_full == lag::end) topic_.remove(&who_);
    count_lost();
    return false;
  }
  envelope* copy = nullptr;
  try {
    copy = copied(message);
  } catch (...) {
    on_the_way_.fetch_sub(1, std::memory_order_relaxed);
    throw;
  }
  keep();
  who_.enqueue(*copy);
  who_.enqueue(*new mark(*this));
  return true;
}

void subscriber::count_lost() noexcept {
  lost_.fetch_add(1, std::memory_order_relaxed);
  count_dead_letter(dead_letter::reason::dropped, &who_, topic_.of);
}

void subscriber::came_out(mark& handled) noexcept {
  if (options_.when_full == lag::drop_oldest) {
    unlist(handled);
  } else {
    on_the_way_.fetch_sub(1, std::memory_order_relaxed);
  }
}

void subscriber::unlist(mark& gone) noexcept {
  if (gone.older == nullptr && oldest_ != &gone) return;  // it has not arrived
  (gone.older != nullptr ? gone.older->newer : oldest_) = gone.newer;
  (gone.newer != nullptr ? gone.newer->older : newest_) = gone.older;
  --marks_;
}

void subscriber::admit(mark& arrived) noexcept {
  if (!who_.closed()) make_room();  // else it takes nothing new, and goes on with what it has
  arrived.message->run = &waits_here;
  who_.enqueue(
      *arrived.message);  // which may be refused, and whoever hears of that may publish too
  arrived.older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = &arrived;
  newest_ = &arrived;
  ++marks_;
  who_.enqueue(arrived);
}

void subscriber::make_room() noexcept {
  if (marks_ < options_.capacity) return;
  who_.take_up_waiting();  // what a handler in hand has left for later waits too
  while (marks_ >= options_.capacity) {
    // The message stands before its mark, unless somebody has it in hand; at its address there may be another by now, but none of these.
    const mark* const behind = oldest_;
    const envelope* const message = behind->message;
    const auto is_message = [message](const envelope& each) {
      return &each == message && each.run == &waits_here;
    };
    work** const first = who_.messages().find(
        [&](const envelope& each) { return &each == behind || is_message(each); });
    expects(first != nullptr, "the mark of a message is not in the mailbox that it was put into");
    const bool waits = *first != behind;
    who_.take_out(who_.messages().find([&](const envelope& each) { return &each == behind; }));
    if (!waits) continue;
    // Last, for what the message's destructor does, and whoever hears of the loss, may lead here again.
    who_.take_out(who_.messages().find(is_message));
    count_lost();
  }
}

void subscriber::told(const exit_reason&) noexcept {
  end();
  topic_.remove(&who_);
  let_go();
}

void keep(topic_state& held) noexcept { held.keep(); }
void let_go(topic_state& held) noexcept { held.let_go(); }

topic_state& make_topic(const message_info& of) { return *new topic_state(of); }

topic_state& named_topic(std::string_view name, const message_info& of) {
  names& all = names::current("topic::named");
  if (name.empty()) throw std::invalid_argument("a topic was looked for by an empty name");
  counted<topic_state> found;  // let go of without the lock, which its end takes
  {
    const std::scoped_lock lock(all.mutex);
    const auto at = all.topics.find(name);
    if (at == all.topics.end() || !at->second->try_keep()) {
      auto& made = *new topic_state(of);
      made.name = name;
      made.named_in = &all;
      all.retain();
      all.topics.insert_or_assign(made.name, &made);
      return made;
    }
    found = counted<topic_state>(at->second);
  }
  if (&found->of != &of) {
    throw name_mismatch("\"" + std::string(name) + "\" is a topic of " +
                        std::string(found->of.name) + ", not of " + std::string(of.name));
  }
  found->keep();
  return *found;
}

bool subscribe(topic_state& to, cell* who, const subscription_options& options) {
  expects(who != nullptr, "nobody was to subscribe to a topic");
  counted<subscriber> added(new subscriber(to, *who, options));
  const bool is_new = to.list.change([&](std::vector<counted<subscriber>>& all) {
    for (const auto& each : all) {
      if (&each->who() == who) return false;
    }
    all.push_back(added);
    return true;
  });
  if (is_new) {
    watch(*who, *added);  // takes over the second count
  } else {
    added->let_go();
  }
  return is_new;
}

bool unsubscribe(topic_state& from, cell* who) noexcept { return from.remove(who); }

std::size_t subscribers(const topic_state& of) noexcept { return of.list.read()->size(); }

std::uint64_t lost(const topic_state& of, const cell* who) noexcept {
  const auto all = of.list.read();
  for (const counted<subscriber>& each : *all) {
    if (&each->who() == who) return each->lost();
  }
  return 0;
}

std::string_view topic_name(const topic_state& of) noexcept { return of.name; }

std::size_t publish(topic_state& to, const void* message, envelope* (*copied)(const void*)) {
  const auto all = to.list.read();
  std::size_t sent = 0;
  for (const counted<subscriber>& each : *all) {
    if (each->active() && each->deliver(message, copied)) ++sent;
  }
  return sent;
}

}  // namespace troupe::internal
