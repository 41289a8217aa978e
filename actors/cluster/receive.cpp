#include <troupe/actors/cluster/common_name.hpp>
#include <troupe/actors/cluster/internal/node_core.hpp>
#include <troupe/actors/cluster/internal/peer.hpp>

#include <utility>

// What a peer sends, and what is done with it.

namespace troupe::cluster::internal {

namespace {
constexpr std::size_t longest_type_name = 4096;
// Asks of a peer at a time.
constexpr std::size_t most_served = 100'000;
}  // namespace

/// A value that was written in a way in which ours are not. Not a broken connection: the message is refused.
struct peer::unreadable {
  std::string what;
};

void peer::receive(std::span<const std::byte> bytes) {
  reader from(bytes);
  from.context = this;
  switch (static_cast<frame>(from.number<std::uint8_t>())) {
    case frame::beat:
      return;
    case frame::type:
      return receive_type(from);
    case frame::tell:
      return receive_message(from, false);
    case frame::ask:
      return receive_message(from, true);
    case frame::answer:
      return receive_answer(from);
    case frame::failure:
      return receive_failure(from);
    case frame::withdraw: {
      const auto known = serving_.find(from.number<std::uint64_t>());
      if (known == serving_.end()) return;  // it has been answered
      served_ask* const given_up = known->second;
      serving_.erase(known);
      return given_up->give_up();
    }
    case frame::ended:
      return receive_ended(from);
    case frame::stop:
      if (node::core::exported* const known = node_->find(from.number<std::uint64_t>()))
        known->who.stop();
      return;
    case frame::kill:
      if (node::core::exported* const known = node_->find(from.number<std::uint64_t>()))
        known->who.kill();
      return;
    case frame::name:
      return receive_name(from);
    case frame::release: {
      const auto number = from.number<std::uint64_t>();
      take_back(number, from.number<std::uint64_t>());
      // It has forgotten that, too, and has been told of the actor again meanwhile.
      if (const auto known = inflows_.find(number); known != inflows_.end())
        known->second->say_again();
      return;
    }
    case frame::pause:
      return receive_pause(from.number<std::uint64_t>());
    case frame::resume:
      return receive_resume(from.number<std::uint64_t>());
    case frame::member: {
      node_id other;
      other.bits[0] = from.number<std::uint64_t>();
      other.bits[1] = from.number<std::uint64_t>();
      return node_->heard_of(other, std::string(from.text()));
    }
    default:
      reader::refuse("a frame of a sort that is not known");
  }
}

// --- types ------------------------------------------------------------------------------------------------------------

void peer::receive_type(reader& from) {
  constexpr std::size_t most = 10'000;
  if (from.count() != types_.size() + 1) reader::refuse("types are numbered one after the other");
  if (types_.size() == most) reader::refuse("there are more types than there may be");
  told_type& added = types_.emplace_back();
  added.name = from.name(longest_type_name);
  added.text = from.text();
  added.what = layout::parse(added.text);
}

peer::told_type& peer::type(std::uint64_t number) {
  if (number == 0 || number > types_.size()) reader::refuse("of a type that was not told");
  return types_[number - 1];
}

const message_entry* peer::told_type::in(const protocol_table& table) {
  const auto known = entries.find(&table);
  if (known != entries.end()) return known->second;
  const message_entry* found = nullptr;
  for (std::size_t index = 0; index < table.count; ++index)
    if (common_name(table.all[index]->info->name) == name) found = table.all[index];
  entries.emplace(&table, found);
  return found;
}

const layout* peer::layout_for(told_type& told, const shape& ours) {
  using fit = told_type::fit;
  auto known = told.fits.find(&ours);
  if (known == told.fits.end()) {
    const std::string text = text_of(ours);
    const bool can_be_read = readable(layout::parse(text), told.what);
    known = told.fits
                .emplace(&ours, text == told.text ? fit::same
                                : can_be_read     ? fit::readable
                                                  : fit::no)
                .first;
  }
  if (known->second == fit::no)
    throw unreadable{"'" + told.name + "' is " + told.text + " on node '" + info_.name + "', and " +
                     text_of(ours) + " on node '" + node_->info().name + "'"};
  return known->second == fit::same ? nullptr : &told.what;
}

// --- messages and answers ---------------------------------------------------------------------------------------------

void peer::receive_message(reader& from, bool asked) {
  const auto number = from.number<std::uint64_t>();
  const std::uint64_t ask = asked ? from.number<std::uint64_t>() : 0;
  if (asked && serving_.contains(ask))
    reader::refuse("an ask has the number of another that goes on");
  told_type& told = type(from.count());
  if (asked && serving_.size() >= most_served)
    return fail(ask, failure_kind::full,
                "node '" + node_->info().name + "' has " + std::to_string(most_served) +
                    " asks of this node to answer already");
  node::core::exported* const target = node_->find(number);
  if (target == nullptr) {
    if (asked) fail(ask, failure_kind::dead, "the actor has ended that was asked for " + told.name);
    return;
  }
  const message_entry* message = nullptr;
  for (const protocol_table* const each : target->tables)
    if (message == nullptr) message = told.in(*each);
  cell& actor = *target->who.cell();
  try {
    if (message == nullptr)
      throw unreadable{actor.description() +
                       " is known on other nodes as one that does not understand '" + told.name +
                       "'"};
    const layout* const theirs = layout_for(told, *message->content);
    if (!asked) return pass_on_told(*message, from, theirs, number, actor);
    served_ask* const made = message->make_ask(from, theirs, actor, *this, ask);
    serving_.emplace(ask, made);
    message->send_ask(*made);
  } catch (const malformed&) {
    throw;
  } catch (const unreadable& why) {
    if (asked) return fail(ask, failure_kind::unknown, why.what);
    report_refused(std::make_exception_ptr(unknown_message(why.what)));
  } catch (const std::exception& error) {  // of a `coded` of the user's
    if (asked) return fail(ask, failure_kind::other, error.what());
    report_refused(std::current_exception());
  }
}

void peer::pass_on_told(const message_entry& message, reader& from, const layout* theirs,
                        std::uint64_t number, cell& to) {
  const std::size_t bytes = from.left();
  envelope& item = message.told(from, theirs);
  // Of an actor on another loop nobody here can see whether it has room.
  if (&to.home() == &node_->home() && !to.counted()) return to.enqueue(item);
  std::shared_ptr<inflow>& known = inflows_[number];
  if (known == nullptr)
    known = std::make_shared<inflow>(weak_from_this(), number, node_->home(), waiting_here_);
  const auto waits = known;  // who hears of a dead letter may end this node
  waits->pass_on(item, bytes, to);
}

void peer::receive_pause(std::uint64_t number) {
  if (known_.contains(number)) paused_.try_emplace(number, std::make_shared<event>());
}

void peer::receive_resume(std::uint64_t number) {
  const auto known = paused_.find(number);
  if (known == paused_.end()) return;
  known->second->set();
  paused_.erase(known);
}

void peer::report_refused(const std::exception_ptr& why) {
  node_->home().report({"a message of node '" + info_.name + "' was refused", why});
}

namespace {

std::exception_ptr error_of(failure_kind kind, const std::string& text) {
  switch (kind) {
    case failure_kind::dead:
      return std::make_exception_ptr(actor_dead(text));
    case failure_kind::full:
      return std::make_exception_ptr(mailbox_full(text));
    case failure_kind::no_reply:
    case failure_kind::given_up:
      return std::make_exception_ptr(no_reply(text));
    case failure_kind::rejected:
      return std::make_exception_ptr(rejected(text));
    case failure_kind::timed_out:
      return std::make_exception_ptr(ask_timeout(text));
    case failure_kind::unknown:
      return std::make_exception_ptr(unknown_message(text));
    case failure_kind::lost:
      return std::make_exception_ptr(node_lost(text));
    case failure_kind::too_large:
      return std::make_exception_ptr(message_too_large("the answer: " + text));
    default:
      return std::make_exception_ptr(remote_error(text));
  }
}

}  // namespace

void peer::receive_answer(reader& from) {
  const auto known = asks_.find(from.number<std::uint64_t>());
  const std::uint64_t number = from.count();
  if (known == asks_.end()) return;  // nobody waits for it any more
  const open_ask ask = known->second;
  asks_.erase(known);
  std::exception_ptr error;
  try {
    const layout* theirs = nullptr;
    if (number != 0 && ask.message->reply == nullptr)
      reader::refuse("an answer where none was to be");
    if (number == 0 && ask.message->reply != nullptr)
      reader::refuse("no answer where one was to be");
    if (number != 0) theirs = layout_for(type(number), *ask.message->reply);
    return ask.message->answer(from, theirs, *ask.asker);
  } catch (const unreadable& why) {
    error = std::make_exception_ptr(unknown_message("the answer: " + why.what));
  } catch (const malformed&) {
    ask.asker->fail(std::current_exception());
    throw;
  } catch (const std::exception&) {  // of a `coded` of the user's
    error = std::current_exception();
  }
  ask.asker->fail(error);
}

void peer::receive_failure(reader& from) {
  const auto known = asks_.find(from.number<std::uint64_t>());
  const auto kind = static_cast<failure_kind>(from.number<std::uint8_t>());
  const std::string text(from.text());
  if (known == asks_.end()) return;
  reply_slot* const asker = known->second.asker;
  asks_.erase(known);
  asker->fail(error_of(kind, text));
}

// --- ends and names ---------------------------------------------------------------------------------------------------

void peer::receive_ended(reader& from) {
  const auto number = from.number<std::uint64_t>();
  const auto how = from.number<std::uint8_t>();
  const std::string text(from.text());
  if (how > static_cast<std::uint8_t>(exit_reason::kind::killed))
    reader::refuse("an end of a sort that is not known");
  const auto kind = static_cast<exit_reason::kind>(how);
  const exit_reason why(kind, kind == exit_reason::kind::crashed
                                  ? std::make_exception_ptr(remote_error(text))
                                  : nullptr);
  known_.erase(number);
  receive_resume(number);
  const auto [first, last] = stand_ins_.equal_range(number);
  std::vector<stand_in*> all;
  for (auto each = first; each != last; ++each) all.push_back(each->second);
  for (stand_in* const each : all) each->ended(why);
}

void peer::receive_number(std::uint64_t number) {
  if (known_.size() >= most_refs && !known_.contains(number))
    throw malformed("there are refs of more than " + std::to_string(most_refs) +
                    " of its actors here (node_options::most_refs)");
  ++known_[number].told;
}

void peer::unname(std::uint64_t number) noexcept {
  const auto known = known_.find(number);
  if (known != known_.end()) --known->second.names;
}

void peer::receive_name(reader& from) {
  constexpr std::size_t most = 100'000;
  std::string name = from.name(longest_published);
  const auto number = from.number<std::uint64_t>();
  if (const auto before = names.find(name); before != names.end()) {
    unname(before->second);
    names.erase(before);
  }
  if (number != 0) {
    if (names.size() == most) reader::refuse("more names than there may be");
    receive_number(number);
    ++known_[number].names;
    names.emplace(std::move(name), number);
  }
  node_->names_changed();
}

}  // namespace troupe::cluster::internal
