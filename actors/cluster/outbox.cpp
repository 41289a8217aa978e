#include <troupe/actors/cluster/outbox.hpp>

#include <troupe/actors/cluster/errors.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/sleep.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe::cluster::internal {

namespace {

void pulse(event& what) {
  what.set();
  what.clear();
}

/// Whether the receiver has gone, so that the same message may succeed with the next.
bool is_loss(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const unknown_message&) {
    return false;
  } catch (const message_too_large&) {
    return false;
  } catch (const ask_error&) {  // node_lost, actor_dead, no_reply
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

bool outbox::queued::unwanted() const {
  const auto& waits = accepted ? accepted : what->handled;
  return waits && waits->cancelled();
}

void outbox::queued::fail(const std::exception_ptr& why) {
  if (accepted) accepted->try_set_exception(why);
  if (what->handled) what->handled->try_set_exception(why);
}

outbox::outbox(node& on, std::string_view name, const protocol_table& receiver,
               reliable_options options, restore restored)
    : on_(on),
      name_(name),
      published_(receiver_name(name)),
      table_(receiver),
      options_(std::move(options)),
      restore_(restored),
      sender_(options_.sender) {
  if (loop::current() != &on_.home())
    throw invalid_state("a reliable sender is made on the loop of its node");
  if (options_.capacity == 0 || options_.window == 0)
    throw std::invalid_argument("a reliable sender has to hold, and to send, one message at least");
  if (options_.store != nullptr && sender_.empty())
    throw std::invalid_argument(
        "a reliable sender with a store needs a name (`sender`), by which receivers know it after "
        "a restart");
  if (sender_.empty()) sender_ = on_.id().text() + '/' + std::to_string(on_.draw_number());
}

void outbox::begin() {
  running_ = create_task(run(shared_from_this()), {.name = "send to " + name_});
  if (options_.store != nullptr)
    writing_ = create_task(write_down(shared_from_this()), {.name = "store for " + name_});
}

void outbox::close(const char* why) noexcept {
  if (closed_ != nullptr) return;
  closed_ = std::make_exception_ptr(invalid_state("'" + name_ + "': " + why));
  if (running_) running_->cancel();
  if (writing_) writing_->cancel();
  if (options_.store == nullptr && !waiting_.empty()) {
    on_.home().report({std::to_string(waiting_.size()) + " messages to '" + name_ +
                           "' were given up unacknowledged: wait until they are `flushed`",
                       closed_});
  }
  for (queued& each : std::exchange(line_, {})) each.fail(closed_);
  for (auto& each : std::exchange(waiting_, {}))
    if (each->handled) each->handled->try_set_exception(closed_);
  pulse(changed_);
}

// --- what is to be sent -----------------------------------------------------------------------------------------------

void outbox::expect_open() const {
  if (closed_ != nullptr) std::rethrow_exception(closed_);
  if (on_.left()) throw invalid_state("a message was to be sent, and the node has left");
}

future<void> outbox::add(std::unique_ptr<outgoing> message, bool until_handled) {
  expect_open();
  promise<void> waits;
  future<void> result = waits.get_future();
  queued next{std::move(message), std::nullopt};
  (until_handled ? next.what->handled : next.accepted) = std::move(waits);
  if (options_.store == nullptr && line_.empty() && has_room()) {
    accept(std::move(next));
  } else {
    line_.push_back(std::move(next));
    pulse(changed_);
  }
  return result;
}

bool outbox::try_add(std::unique_ptr<outgoing> message) {
  expect_open();
  if (options_.store != nullptr)
    throw invalid_state("a message cannot be written down without waiting: use send");
  if (!line_.empty() || !has_room()) return false;
  accept({std::move(message), std::nullopt});
  return true;
}

void outbox::accept(queued message) {
  message.what->number = ++last_;
  waiting_.push_back(std::move(message.what));
  if (message.accepted) message.accepted->try_set_value();
  pump();
  pulse(changed_);
}

/// There is room, perhaps for those that wait.
void outbox::admit() {
  while (options_.store == nullptr && !line_.empty() && has_room()) {
    queued next = std::move(line_.front());
    line_.pop_front();
    if (!next.unwanted()) accept(std::move(next));
  }
  pulse(changed_);
}

coro<> outbox::flushed(std::shared_ptr<outbox> self) {
  while (self->closed_ == nullptr && !(self->waiting_.empty() && self->line_.empty()))
    co_await self->changed_.wait();
  if (self->closed_ != nullptr) std::rethrow_exception(self->closed_);
}

std::string outbox::describe() const {
  return "sender '" + sender_ + "' to '" + name_ + "': " + std::to_string(waiting_.size()) +
         " not acknowledged, " + std::to_string(sent_) + " of them sent, " +
         std::to_string(line_.size()) + " wait for room, " + std::to_string(refused_) + " refused";
}

// --- sending ----------------------------------------------------------------------------------------------------------

any_actor outbox::find() {
  try {
    if (cell* const found = on_.find(published_, table_)) return any_actor(*found);
  } catch (const std::invalid_argument&) {  // of this node, of another protocol
    on_.home().report({"a receiver of reliable messages was not found", std::current_exception()});
  }
  return {};
}

coro<> outbox::run(std::shared_ptr<outbox> self) {
  const reliable_options& options = self->options_;
  duration pause = options.retry;
  try {
    for (;;) {
      while (self->waiting_.empty()) co_await self->changed_.wait();
      any_actor there = self->find();
      if (!there) {
        co_await self->on_.next_name();
        continue;
      }
      auto sending = self->session(std::move(there));
      const bool advanced = co_await std::move(sending);
      if (advanced) pause = options.retry;
      co_await sleep(pause);
      if (!advanced) pause = std::min(pause * 2, options.slowest_retry);
    }
  } catch (const invalid_state&) {  // of the node
  }
  self->close("the node has left");
}

/// The time that one receiver is sent to. After it nobody waits for answers of that any more.
class outbox::open_session {
 public:
  open_session(outbox& of, any_actor there) : of_(of) {
    of_.receiver_ = std::move(there);
    of_.sent_ = 0;
  }
  ~open_session() {
    of_.receiver_ = {};
    of_.sent_ = 0;
    for (const auto& each : std::exchange(of_.answers_, {})) each.cancel();
  }
  open_session(const open_session&) = delete;
  open_session& operator=(const open_session&) = delete;

 private:
  outbox& of_;
};

void outbox::pump() {
  if (!receiver_ || !receiver_.cell()->takes_messages()) return;
  while (sent_ < waiting_.size() && sent_ < options_.window) {
    answers_.push_back(waiting_[sent_]->ask(*receiver_.cell(), sender_, waiting_.front()->number));
    ++sent_;
  }
}

coro<bool> outbox::session(any_actor there) {
  const open_session now(*this, std::move(there));
  for (bool advanced = false;;) {
    pump();
    if (answers_.empty()) {
      if (!receiver_.cell()->takes_messages()) co_return advanced;
      co_await changed_.wait();
      continue;
    }
    future<receipt> answer = std::move(answers_.front());
    answers_.pop_front();
    receipt got;
    std::exception_ptr error;
    try {
      got = co_await std::move(answer);
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      error = std::current_exception();
    }
    const std::uint64_t before = settled_;
    const bool goes_on = judge(got, error);
    advanced = advanced || settled_ != before;
    if (!goes_on) co_return advanced;
  }
}

bool outbox::judge(const receipt& got, const std::exception_ptr& error) {
  if (error != nullptr) {
    // What cannot be read there, or written here, never will be. Those behind it wait for it there in vain.
    if (!is_loss(error)) settle(error);
    return false;
  }
  if (got.what == receipt::sort::again) return false;
  settle(got.what == receipt::sort::refused ? std::make_exception_ptr(rejected(got.text))
                                            : std::exception_ptr());
  return true;
}

/// The oldest is done with.
void outbox::settle(const std::exception_ptr& error) {
  const std::unique_ptr<outgoing> ended = std::move(waiting_.front());
  waiting_.pop_front();
  --sent_;
  settled_ = ended->number;
  if (error != nullptr) {
    ++refused_;
    if (!ended->handled) on_.home().report({"a message to '" + name_ + "' was not handled", error});
  }
  if (ended->handled) {
    if (error != nullptr) {
      ended->handled->try_set_exception(error);
    } else {
      ended->handled->try_set_value();
    }
  }
  admit();
}

// --- the store --------------------------------------------------------------------------------------------------------

coro<> outbox::load() {
  auto loading = options_.store->load();
  const outbox_store::contents all = co_await std::move(loading);
  last_ = all.last;
  for (const stored_message& each : all.messages) {
    std::unique_ptr<outgoing> made = restore_(each);
    made->number = each.number;
    last_ = std::max(last_, each.number);
    waiting_.push_back(std::move(made));
  }
  settled_ = waiting_.empty() ? last_ : waiting_.front()->number - 1;
  pulse(changed_);
}

coro<> outbox::keep_next() {
  queued next = std::move(line_.front());
  line_.pop_front();
  if (next.unwanted()) co_return;
  std::exception_ptr error;
  try {
    next.what->number = last_ + 1;
    auto keeping = options_.store->keep(next.what->stored());
    co_await std::move(keeping);
  } catch (const cancelled&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  if (error == nullptr) co_return accept(std::move(next));
  next.fail(error);
  pulse(changed_);
}

coro<> outbox::write_down(std::shared_ptr<outbox> self) {
  std::exception_ptr error;
  try {
    auto loading = self->load();
    co_await std::move(loading);
  } catch (const cancelled&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  if (error != nullptr) {
    self->on_.home().report({"an outbox could not be loaded", error});
    co_return self->close("its outbox could not be loaded");
  }
  for (std::uint64_t forgotten = self->settled_;;) {
    while (forgotten == self->settled_ && (self->line_.empty() || !self->has_room()))
      co_await self->changed_.wait();
    if (forgotten != self->settled_) {
      forgotten = self->settled_;
      error = nullptr;
      try {
        auto forgetting = self->options_.store->forget(forgotten);
        co_await std::move(forgetting);
      } catch (const cancelled&) {
        throw;
      } catch (...) {
        error = std::current_exception();
      }
      if (error != nullptr)
        self->on_.home().report({"messages that were handled stay in an outbox", error});
    }
    if (!self->line_.empty() && self->has_room()) {
      auto keeping = self->keep_next();
      co_await std::move(keeping);
    }
  }
}

}  // namespace troupe::cluster::internal
