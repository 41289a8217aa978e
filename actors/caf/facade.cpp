#include <troupe/actors/caf/facade.hpp>

#include <troupe/actors/caf/from_caf.hpp>
#include <troupe/actors/caf/internal/core.hpp>
#include <troupe/actors/caf/internal/doubles.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/link.hpp>
#include <troupe/actors/watch.hpp>

#include <caf/actor.hpp>
#include <caf/default_attachable.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <stdexcept>
#include <string>

namespace troupe::internal {

namespace {

constexpr message_info unknown_message{.name = "message of CAF", .free = nullptr};

/// The ref that this actor of CAF is known by here, if it is, or a new one.
any_actor known_as(const ::caf::strong_actor_ptr& real) {
  caf_core* const core = caf_of_loop::find();
  if (core != nullptr) {
    if (cell* const known = core->doubles().find_any_stand_in(real)) return any_actor(*known);
  }
  return from_caf<protocol<>>(::caf::actor_cast<::caf::actor>(real));
}

/// Terminates the facade of an actor that has ended.
class facade_watch final : public watcher, public pooled {
 public:
  explicit facade_watch(::caf::strong_actor_ptr of) noexcept : facade_(std::move(of)) {}
  void told(const exit_reason& why) noexcept override {
    auto& facade = static_cast<caf_facade&>(*facade_->get());
    if (caf_core* const core = caf_of_loop::find()) core->doubles().erase(facade.real());
    facade.cleanup(to_caf_reason(why), caf_of_loop::unit());
    let_go();
  }
  void keep() noexcept override { count_.add(); }
  void let_go() noexcept override {
    if (count_.drop()) delete this;
  }

 private:
  ::caf::strong_actor_ptr facade_;
  ref_count count_{1};
};

}  // namespace

// --- answers ----------------------------------------------------------------------------------------------------------

void caf_asker::answer(::caf::message content) {
  ::caf::execution_unit* const unit = caf_of_loop::unit();
  if (!stages.empty()) {  // it was passed on, to be passed on again
    const ::caf::strong_actor_ptr next = std::move(stages.back());
    stages.pop_back();
    next->enqueue(
        ::caf::make_mailbox_element(std::move(source), id, std::move(stages), std::move(content)),
        unit);
    return;
  }
  source->enqueue(
      ::caf::make_mailbox_element(std::move(facade), id.response_id(), {}, std::move(content)),
      unit);
}

// --- what it understands ----------------------------------------------------------------------------------------------

caf_facade::caf_facade(::caf::actor_config& config, cell& real, const caf_table& messages)
    : monitorable_actor(config), real_(real) {
  real_.retain();
  understands(messages);
}

caf_facade::~caf_facade() {
  for (const known* each = known_.load(); each != nullptr;) {
    const known* const before = each->before;
    delete each;
    each = before;
  }
  real_.release();
}

void caf_facade::understands(const caf_table& messages) {
  for (const known* each = known_.load(); each != nullptr; each = each->before)
    if (each->messages == &messages) return;
  known_ = new known{&messages, known_.load()};
}

bool caf_facade::covers(const caf_table& messages) const noexcept {
  for (std::size_t index = 0; index < messages.count; ++index) {
    bool found = false;
    for (const known* each = known_.load(); each != nullptr && !found; each = each->before)
      found = each->messages->find(*messages.all[index]->info) != nullptr;
    if (!found) return false;
  }
  return true;
}

// --- messages ---------------------------------------------------------------------------------------------------------

/// A message on its way to the loop of the actor.
struct caf_facade::arrival final : work, pooled {
  arrival(::caf::strong_actor_ptr given, ::caf::mailbox_element_ptr&& what) noexcept
      : work(&arrival::arrive), to(std::move(given)), content(std::move(what)) {}
  static void arrive(work& item) noexcept {
    const owned<arrival> self(static_cast<arrival*>(&item));
    static_cast<caf_facade&>(*self->to->get()).take(self->content);
  }
  ::caf::strong_actor_ptr to;
  ::caf::mailbox_element_ptr content;
};

void caf_facade::enqueue(::caf::mailbox_element_ptr what, ::caf::execution_unit*) {
  if (&real_.home() == loop::current()) return take(what);
  auto* const sent = new arrival(ctrl(), std::move(what));
  if (real_.home().post(*sent)) return;
  refuse(sent->content);
  delete sent;
}

void caf_facade::take(::caf::mailbox_element_ptr& what) noexcept {
  if (getf(is_terminated_flag)) return refuse(what);
  auto& content = what->content();
  if (content.match_elements<::caf::exit_msg>()) {
    take_exit(content.get_as<::caf::exit_msg>(0), what->sender);
  } else if (content.match_elements<::caf::down_msg>() || what->mid.is_response() ||
             handle_system_message(*what, caf_of_loop::unit(), true)) {
    return;  // it has asked nobody, and monitors nobody
  } else if (!deliver(*what)) {
    if (what->mid.is_request()) {
      fail_request(*what, ::caf::make_error(::caf::sec::unexpected_message,
                                            what->copy_content_to_message()));
    } else {
      count_dead_letter(dead_letter::reason::nobody, &real_, unknown_message);
    }
  }
}

void caf_facade::fail_request(::caf::mailbox_element& what, ::caf::error why) {
  caf_asker asker{ctrl(), what.sender, what.mid, std::move(what.stages)};
  if (asker.source != nullptr) asker.answer(::caf::make_message(std::move(why)));
}

/// Who asks the dead gets that for an answer; what was sent to them is a dead letter.
void caf_facade::refuse(::caf::mailbox_element_ptr& what) noexcept {
  if (what->mid.is_request()) {
    fail_request(*what, ::caf::make_error(::caf::sec::request_receiver_down));
  } else if (!what->mid.is_response() && !what->content().match_elements<::caf::exit_msg>()) {
    count_dead_letter(dead_letter::reason::dead, &real_, unknown_message);
  }
}

bool caf_facade::deliver(::caf::mailbox_element& what) {
  caf_asker asker{ctrl(), what.sender, what.mid, std::move(what.stages)};
  for (const known* each = known_.load(); each != nullptr; each = each->before) {
    for (std::size_t index = 0; index < each->messages->count; ++index)
      if (each->messages->all[index]->deliver(what.content(), real_, asker)) return true;
  }
  what.stages = std::move(asker.stages);
  return false;
}

void caf_facade::take_exit(const ::caf::exit_msg& end, const ::caf::strong_actor_ptr& from) {
  using observe = ::caf::default_attachable;
  const bool linked = detach(observe::observe_token{end.source, observe::link}) != 0;
  if (end.reason == ::caf::exit_reason::kill) return real_.request_kill();
  if (linked && from != nullptr && real_.type().send_exited != nullptr) {
    if (real_.stop_wanted()) return;
    const any_actor peer = known_as(from);
    return real_.type().send_exited(real_, *peer.cell(), from_caf_reason(end.reason));
  }
  if (!end.reason) return;
  if (!linked || end.reason == ::caf::exit_reason::user_shutdown) return real_.request_stop();
  if (real_.stop_wanted()) return;
  real_.crash(std::make_exception_ptr(
      link_broken(real_.description() + " was linked with an actor of CAF, which ended by " +
                  text_of(end.reason))));
}

// --- handles ----------------------------------------------------------------------------------------------------------

::caf::strong_actor_ptr caf_handle_of(cell* real, const caf_table& messages) {
  caf_core& core = caf_of_loop::current("to_caf");
  if (real == nullptr) throw std::invalid_argument("to_caf of a ref to nobody");
  ::caf::strong_actor_ptr handle = core.doubles().find(*real);
  if (handle == nullptr) {
    ::caf::actor_system& system = core.system();
    ::caf::actor_config config;
    const auto made = ::caf::make_actor<caf_facade, ::caf::strong_actor_ptr>(
        system.next_actor_id(), system.node(), &system, config, *real, messages);
    handle = core.doubles().put(*real, made);
    if (handle == made) watch(*real, *new facade_watch(made));
  }
  if (auto* const facade = dynamic_cast<caf_facade*>(handle->get())) facade->understands(messages);
  return handle;
}

}  // namespace troupe::internal
