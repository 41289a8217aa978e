#include <troupe/actors/caf/from_caf.hpp>

#include <troupe/actors/caf/internal/core.hpp>
#include <troupe/actors/caf/internal/doubles.hpp>
#include <troupe/actors/link.hpp>
#include <troupe/runtime/errors.hpp>

#include <caf/actor.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::internal {

namespace {
constexpr std::size_t first_look_through = 64;

std::string about(const reply_slot& asker) {
  const open_ask* const ask = asker.as_ask();
  if (ask == nullptr) return "a CAF actor was asked";
  return ask->target().description() + " was asked " + std::string(ask->message_type().name);
}
}  // namespace

/// Whom the real actor answers, and tells of its end. It outlives what it speaks for, and then hears nothing any more.
///
/// Threads: any for what CAF calls, the rest on its loop.
class caf_voice final : public ::caf::monitorable_actor {
 public:
  caf_voice(::caf::actor_config& config, loop& home, caf_stand_in& of)
      : monitorable_actor(config), home_(home), of_(&of) {}

  const char* name() const override { return "troupe.asker"; }
  void enqueue(::caf::mailbox_element_ptr what, ::caf::execution_unit*) override {
    if (&home_ == loop::current()) return hear(*what);
    home_.post_call([self = ::caf::strong_actor_ptr(ctrl()), answer = std::move(what)] {
      static_cast<caf_voice&>(*self->get()).hear(*answer);
    });
  }
  void hear_end(const ::caf::error& why) {
    if (&home_ == loop::current()) return end(why);
    home_.post_call([self = ::caf::strong_actor_ptr(ctrl()), why] {
      static_cast<caf_voice&>(*self->get()).end(why);
    });
  }
  void fall_silent() noexcept {
    of_ = nullptr;
    cleanup(::caf::error(), nullptr);
  }

 private:
  void hear(::caf::mailbox_element& answer) noexcept {
    if (of_ != nullptr && answer.mid.is_response()) of_->answered(answer);
  }
  void end(const ::caf::error& why) noexcept {
    if (of_ != nullptr) of_->ended(why);
  }

  loop& home_;
  caf_stand_in* of_;
};

caf_stand_in::caf_stand_in(::caf::strong_actor_ptr real, cell& owner, const caf_table& messages)
    : real_(std::move(real)),
      owner_(owner),
      messages_(messages),
      look_through_at_(first_look_through) {
  ::caf::actor_system& system = caf_of_loop::current("from_caf").system();
  ::caf::actor_config config;
  voice_ = ::caf::make_actor<caf_voice, ::caf::strong_actor_ptr>(
      system.next_actor_id(), system.node(), &system, config, owner_.home(), *this);
  // Not before the owner is whole: who is dead already says so at once.
  const ::caf::weak_actor_ptr listener(voice_.get());
  static_cast<void>(owner_.home().post_call([to = real_, listener] {
    to->get()->attach_functor([listener](const ::caf::error& why) {
      const ::caf::strong_actor_ptr known = listener.lock();
      if (known != nullptr) static_cast<caf_voice&>(*known->get()).hear_end(why);
    });
  }));
}

caf_stand_in::~caf_stand_in() {
  if (caf_core* const core = caf_of_loop::find())
    core->doubles().erase_stand_in(real_, messages_, owner_);
  static_cast<caf_voice&>(*voice_->get()).fall_silent();
  if (!ended_) send_exit(::caf::exit_reason::kill);  // the actor that stands for it was killed
  for (const auto& each : std::exchange(pending_, {}))
    each.second.asker->fail(
        std::make_exception_ptr(actor_dead(about(*each.second.asker) + ", which was stopped")));
}

void caf_stand_in::pass_on(envelope& item) noexcept {
  if (ended_) return owner_.refuse(item);
  if (item.info == &envelope_of<exited>::type) {
    send_exit(to_caf_reason(static_cast<envelope_of<exited>&>(item).message.reason));
    return item.info->free(item);
  }
  const caf_entry* const entry = messages_.find(*item.info);
  expects(entry != nullptr, "a message of another protocol came to a stand-in");
  std::exception_ptr error;
  try {
    if (item.reply != nullptr) return ask(item, *entry);
    ::caf::message content = entry->take_out(item);
    item.info->free(item);
    real_->enqueue(nullptr, ::caf::make_message_id(), std::move(content), caf_of_loop::unit());
    return;
  } catch (...) {
    error = std::current_exception();  // what copies or converts a message of the user's threw
  }
  owner_.handler_failed(item.reply, std::move(error));
}

void caf_stand_in::ask(envelope& item, const caf_entry& entry) {
  if (item.reply->withdrawn()) return item.reply->skip();
  if (pending_.size() >= look_through_at_) drop_withdrawn();
  ::caf::message content = entry.take_out(item);
  const std::uint64_t number = ++asked_;
  pending_.emplace(number, waiting{item.reply, &entry});
  real_->enqueue(voice_, ::caf::message_id(number).with_normal_priority(), std::move(content),
                 caf_of_loop::unit());
}

/// Requests that nobody waits for any more are forgotten when there are twice as many as were left the last time.
void caf_stand_in::drop_withdrawn() noexcept {
  for (auto each = pending_.begin(); each != pending_.end();) {
    reply_slot* const asker = each->second.asker;
    if (!asker->withdrawn()) {
      ++each;
      continue;
    }
    each = pending_.erase(each);
    asker->skip();
  }
  look_through_at_ = std::max(first_look_through, 2 * pending_.size());
}

void caf_stand_in::answered(::caf::mailbox_element& answer) noexcept {
  const auto found = pending_.find(answer.mid.request_id().integer_value());
  if (found == pending_.end()) return;
  const waiting done = found->second;
  pending_.erase(found);
  auto& content = answer.content();
  std::exception_ptr error;
  try {
    if (content.match_elements<::caf::error>()) {
      error = from_caf_error(content.get_as<::caf::error>(0), about(*done.asker));
    } else if (done.asked->answer(content, *done.asker)) {
      return;
    } else {
      error = std::make_exception_ptr(caf_error(
          ::caf::make_error(::caf::sec::unexpected_response,
                            about(*done.asker) + " and answered " + content.stringify())));
    }
  } catch (...) {
    error = std::current_exception();
  }
  done.asker->fail(std::move(error));
}

void caf_stand_in::send_exit(const ::caf::error& why) noexcept {
  real_->enqueue(nullptr, ::caf::make_message_id(),
                 ::caf::make_message(::caf::exit_msg{voice_->address(), why}), caf_of_loop::unit());
}

coro<> caf_stand_in::stop() {
  if (ended_) co_return;
  const exit_reason why = owner_.reason();
  const ::caf::error reason =
      why.failed() ? to_caf_reason(why) : ::caf::make_error(::caf::exit_reason::user_shutdown);
  send_exit(reason);
  co_await over_.wait();
}

void caf_stand_in::ended(const ::caf::error& why) noexcept {
  if (std::exchange(ended_, true)) return;
  over_.set();
  for (const auto& each : std::exchange(pending_, {}))
    each.second.asker->fail(std::make_exception_ptr(
        actor_dead(about(*each.second.asker) + ", which has ended: " + text_of(why))));
  const exit_reason reason = from_caf_reason(why);
  if (reason.what() == exit_reason::kind::crashed) owner_.crashed(reason.error());
  owner_.request_stop_now(reason.what());
}

cell* known_caf_double(const ::caf::strong_actor_ptr& real, const caf_table& messages) {
  caf_core& core = caf_of_loop::current("from_caf");
  if (real == nullptr) throw std::invalid_argument("from_caf of an empty handle");
  if (auto* const facade = dynamic_cast<caf_facade*>(real->get())) {
    cell& known = facade->real();
    if (!facade->covers(messages))
      throw std::invalid_argument(
          "from_caf: " + known.description() +
          " does not understand all messages of the protocol that is wanted");
    known.retain();
    return &known;
  }
  return core.doubles().find_stand_in(real, messages);
}

void know_caf_double(const ::caf::strong_actor_ptr& real, const caf_table& messages, cell& made) {
  caf_of_loop::current("from_caf").doubles().put_stand_in(real, messages, made);
}

}  // namespace troupe::internal
