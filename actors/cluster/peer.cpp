#include <troupe/actors/cluster/internal/common_name.hpp>
#include <troupe/actors/cluster/internal/node_core.hpp>
#include <troupe/actors/cluster/internal/peer.hpp>

#include <troupe/runtime/failure.hpp>

#include <utility>

namespace troupe::cluster::internal {

/// A value that was written in a way in which ours are not. Not a broken connection: the message is refused.
struct peer::unreadable {
  std::string what;
};

namespace {
constexpr std::size_t longest_type_name = 4096;
// Of an error: it is for people, and has to fit whatever the other takes.
constexpr std::size_t longest_text = 4096;
}  // namespace

// --- frames -----------------------------------------------------------------------------------------------------------

void peer::begin(frame what) {
  frame_begin_ = out_.size();
  out_.number(std::uint32_t{0});
  out_.number(static_cast<std::uint8_t>(what));
}

void peer::end() {
  const std::size_t size = out_.size() - frame_begin_ - sizeof(std::uint32_t);
  if (size > longest_) {
    cut();
    throw message_too_large("a message of " + std::to_string(size) + " bytes, where node '" +
                            info_.name + "' takes " + std::to_string(longest_) + " at most");
  }
  out_.number_at(frame_begin_, static_cast<std::uint32_t>(size));
  sent_since = true;
  something_to_send.set();
}

void peer::cut() noexcept { out_.cut(frame_begin_); }

void peer::set_in_stream(std::size_t unsent) noexcept {
  in_stream_ = unsent;
  if (has_room()) {
    room.set();
    room.clear();
  }
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

std::uint64_t peer::number_of(const shape& content, std::string_view name) {
  const auto known = numbers_.find(&content);
  if (known != numbers_.end()) return known->second;
  const std::uint64_t number = numbers_.size() + 1;
  begin(frame::type);
  out_.count(number);
  out_.text(common_name(name));
  out_.text(text_of(content));
  end();
  numbers_.emplace(&content, number);
  return number;
}

// --- out --------------------------------------------------------------------------------------------------------------

void peer::send(stand_in& from, envelope& item) noexcept {
  const message_entry* const message = from.messages().find(*item.info);
  if (message == nullptr) return from.owner().refuse(item);
  std::exception_ptr error;
  try {
    return encode(from, *message, item);
  } catch (...) {
    error = std::current_exception();
  }
  if (item.reply != nullptr) return item.reply->fail(error);
  from.owner().home().report(
      {"a message to " + from.owner().description() + " could not be sent", error});
  item.info->free(item);
}

void peer::encode(stand_in& from, const message_entry& message, envelope& item) {
  const bool asked = message.asked(item);
  const std::uint64_t type = number_of(*message.content, message.info->name);
  begin(asked ? frame::ask : frame::tell);
  try {
    out_.context = this;
    out_.number(from.there().number);
    if (asked) out_.number(++last_ask_);
    out_.count(type);
    message.put(out_, item);
  } catch (...) {
    cut();
    throw;
  }
  end();
  if (asked) {
    asks_.emplace(last_ask_, open_ask{item.reply, &message});
  } else {
    item.info->free(item);
  }
}

void peer::send_stop(std::uint64_t number, bool kills) {
  begin(kills ? frame::kill : frame::stop);
  out_.number(number);
  end();
}

void peer::send_ended(std::uint64_t number, const exit_reason& why) {
  begin(frame::ended);
  out_.number(number);
  out_.number(static_cast<std::uint8_t>(why.what()));
  const std::string text = why.error() != nullptr ? troupe::describe(why.error()) : std::string();
  out_.text(std::string_view(text).substr(0, longest_text));
  end();
}

void peer::send_name(std::string_view name, std::uint64_t number) {
  begin(frame::name);
  out_.text(name);
  out_.number(number);
  end();
}

void peer::send_member(const node_info& other) {
  begin(frame::member);
  out_.number(other.id.bits[0]);
  out_.number(other.id.bits[1]);
  out_.text(other.address);
  end();
}

void peer::send_beat() {
  begin(frame::beat);
  end();
}

void peer::sweep() {
  for (auto each = asks_.begin(); each != asks_.end();) {
    if (!each->second.asker->withdrawn()) {
      ++each;
      continue;
    }
    begin(frame::withdraw);
    out_.number(each->first);
    end();
    each->second.asker->skip();
    each = asks_.erase(each);
  }
}

// --- answers ----------------------------------------------------------------------------------------------------------

writer& peer::begin_answer(const served_ask& to, const shape* content) {
  const std::uint64_t type = content != nullptr ? number_of(*content, {}) : 0;
  begin(frame::answer);
  out_.context = this;
  out_.number(to.number);
  out_.count(type);
  return out_;
}

void peer::end_answer(const served_ask& to) {
  end();
  serving_.erase(to.number);
}

void peer::drop_answer() noexcept {
  if (out_.size() > frame_begin_) cut();
}

void peer::fail(std::uint64_t ask, failure_kind kind, std::string_view text) {
  begin(frame::failure);
  out_.number(ask);
  out_.number(static_cast<std::uint8_t>(kind));
  out_.text(text.substr(0, longest_text));
  end();
}

void peer::failed(const served_ask& ended, const std::exception_ptr& error) noexcept {
  const std::uint64_t number = ended.number;
  serving_.erase(number);
  if (error == nullptr) return fail(number, failure_kind::given_up, "it was withdrawn");
  try {
    std::rethrow_exception(error);
  } catch (const rejected& why) {
    fail(number, failure_kind::rejected, why.what());
  } catch (const actor_dead& why) {
    fail(number, failure_kind::dead, why.text());
  } catch (const mailbox_full& why) {
    fail(number, failure_kind::full, why.text());
  } catch (const no_reply& why) {
    fail(number, failure_kind::no_reply, why.text());
  } catch (const ask_timeout& why) {
    fail(number, failure_kind::timed_out, why.text());
  } catch (const message_too_large& why) {
    fail(number, failure_kind::too_large, why.text());
  } catch (...) {
    fail(number, failure_kind::other, troupe::describe(error));
  }
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
    case failure_kind::too_large:
      return std::make_exception_ptr(message_too_large("the answer: " + text));
    default:
      return std::make_exception_ptr(remote_error(text));
  }
}

}  // namespace

// --- in ---------------------------------------------------------------------------------------------------------------

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

void peer::receive_message(reader& from, bool asked) {
  const auto number = from.number<std::uint64_t>();
  const std::uint64_t ask = asked ? from.number<std::uint64_t>() : 0;
  if (asked && serving_.contains(ask))
    reader::refuse("an ask has the number of another that goes on");
  told_type& told = type(from.count());
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
    if (!asked) return message->tell(from, theirs, actor);
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

void peer::report_refused(const std::exception_ptr& why) {
  node_->home().report({"a message of node '" + info_.name + "' was refused", why});
}

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
  } catch (...) {
    ask.asker->fail(std::current_exception());
    throw;
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
  const auto [first, last] = stand_ins_.equal_range(number);
  std::vector<stand_in*> all;
  for (auto each = first; each != last; ++each) all.push_back(each->second);
  for (stand_in* const each : all) each->ended(why);
}

void peer::receive_name(reader& from) {
  constexpr std::size_t most = 100'000;
  std::string name = from.name(longest_published);
  const auto number = from.number<std::uint64_t>();
  if (number == 0) {
    names.erase(name);
  } else if (names.size() == most) {
    reader::refuse("more names than there may be");
  } else {
    names[std::move(name)] = number;
  }
  node_->names_changed();
}

void peer::lose(const std::string& why) noexcept {
  if (std::exchange(lost_, true)) return;
  something_to_send.set();
  room.set();
  const auto error =
      std::make_exception_ptr(node_lost("node '" + info_.name + "' is lost: " + why));
  for (const auto& [number, each] : std::exchange(serving_, {})) each->give_up();
  for (const auto& [number, each] : std::exchange(asks_, {})) each.asker->fail(error);
  std::vector<stand_in*> all;
  for (const auto& [number, each] : stand_ins_) all.push_back(each);
  for (stand_in* const each : all) each->ended(exit_reason(exit_reason::kind::crashed, error));
  names.clear();
  node_ = nullptr;
}

// --- refs -------------------------------------------------------------------------------------------------------------

namespace {
enum class whose : std::uint8_t { nobodys, of_the_writer, of_the_reader };
}

void peer::put_ref(writer& to, cell* who, const protocol_table& messages) {
  if (who == nullptr) {
    to.count(1);
    to.number(static_cast<std::uint8_t>(whose::nobodys));
    return;
  }
  const auto there = numbers_there_.find(who);
  const bool is_his = there != numbers_there_.end();
  const whose sort = is_his ? whose::of_the_reader : whose::of_the_writer;
  // One of a third node is reached through this one.
  const std::uint64_t number = is_his ? there->second : node_->number_of(*who, messages);
  to.count(1 + sizeof number);
  to.number(static_cast<std::uint8_t>(sort));
  to.number(number);
}

cell* peer::get_ref(reader& from, const protocol_table& messages) {
  reader inner(from.take(from.count_of(1, 0)));
  const auto sort = static_cast<whose>(inner.number<std::uint8_t>());
  if (sort == whose::nobodys) return nullptr;
  const auto number = inner.number<std::uint64_t>();
  if (sort == whose::of_the_writer) return stand_in_for(number, messages);
  if (sort != whose::of_the_reader) reader::refuse("a ref of a sort that is not known");
  node::core::exported* const known = node_->find(number);
  if (known == nullptr) return &messages.stand_in({});  // it has ended
  for (std::size_t index = 0; index < messages.count; ++index) {
    bool understood = false;
    for (const protocol_table* const each : known->tables)
      understood = understood || each->find(*messages.all[index]->info) != nullptr;
    if (!understood) reader::refuse("a ref that understands more than was given away");
  }
  cell& found = *known->who.cell();
  found.retain();
  return &found;
}

cell* peer::stand_in_for(std::uint64_t number, const protocol_table& messages) {
  const auto [first, last] = stand_ins_.equal_range(number);
  for (auto each = first; each != last; ++each) {
    if (&each->second->messages() != &messages) continue;
    each->second->owner().retain();
    return &each->second->owner();
  }
  return &messages.stand_in({shared_from_this(), number});
}

void peer::add(stand_in& made) {
  stand_ins_.emplace(made.there().number, &made);
  numbers_there_.emplace(&made.owner(), made.there().number);
}

void peer::remove(const stand_in& gone) noexcept {
  const auto [first, last] = stand_ins_.equal_range(gone.there().number);
  for (auto each = first; each != last; ++each) {
    if (each->second != &gone) continue;
    stand_ins_.erase(each);
    numbers_there_.erase(&gone.owner());
    return;
  }
}

}  // namespace troupe::cluster::internal
