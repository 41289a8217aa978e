#include <troupe/actors/cluster/common_name.hpp>
#include <troupe/actors/cluster/internal/node_core.hpp>
#include <troupe/actors/cluster/internal/peer.hpp>

#include <troupe/runtime/failure.hpp>

#include <utility>

namespace troupe::cluster::internal {

namespace {
// Of an error: it is for people, and has to fit whatever the other takes.
constexpr std::size_t longest_text = 4096;
}  // namespace

// --- frames -----------------------------------------------------------------------------------------------------------

void peer::begin(frame what) {
  frame_begin_ = out_.size();
  given_in_frame_.clear();
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

void peer::cut() noexcept {
  out_.cut(frame_begin_);
  for (const std::uint64_t each : std::exchange(given_in_frame_, {})) take_back(each, 1);
}

void peer::set_in_stream(std::size_t unsent) noexcept {
  in_stream_ = unsent;
  tell_put_off();
  if (has_room()) {
    room.set();
    room.clear();
  }
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
  if (number != 0) give(number);
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

void peer::send_pause(std::uint64_t number, bool paused) {
  if (lost_) return;
  begin(paused ? frame::pause : frame::resume);
  out_.number(number);
  end();
}

coro<> peer::wait_for_room(std::shared_ptr<peer> at, std::uint64_t number) {
  while (!at->has_room(number) && !at->lost()) {
    if (const auto known = at->paused_.find(number); known != at->paused_.end()) {
      const std::shared_ptr<event> resumed = known->second;
      co_await resumed->wait();
    } else {
      co_await at->room.wait();
    }
  }
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
  release_refs();
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

bool peer::put_off(served_ask& answered) {
  if (takes_more() && put_off_.empty()) return false;
  put_off_.push_back(&answered);
  return true;
}

void peer::tell_put_off() noexcept {
  while (!put_off_.empty() && takes_more()) {
    served_ask* const next = put_off_.front();
    put_off_.pop_front();
    next->finish();
  }
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
  } catch (const node_lost& why) {
    fail(number, failure_kind::lost, why.text());
  } catch (const unknown_message& why) {
    fail(number, failure_kind::unknown, why.text());
  } catch (...) {
    fail(number, failure_kind::other, troupe::describe(error));
  }
}

// --- the end ----------------------------------------------------------------------------------------------------------

void peer::lose(const std::string& why) noexcept {
  if (std::exchange(lost_, true)) return;
  something_to_send.set();
  room.set();
  const auto error =
      std::make_exception_ptr(node_lost("node '" + info_.name + "' is lost: " + why));
  for (const auto& [number, each] : std::exchange(serving_, {})) each->give_up();
  for (served_ask* const each : std::exchange(put_off_, {})) each->finish();
  for (const auto& [number, times] : std::exchange(given_, {})) node_->let_go(number);
  for (const auto& [number, each] : std::exchange(asks_, {})) each.asker->fail(error);
  std::vector<stand_in*> all;
  for (const auto& [number, each] : stand_ins_) all.push_back(each);
  for (stand_in* const each : all) each->ended(exit_reason(exit_reason::kind::crashed, error));
  names.clear();
  for (const auto& [number, each] : std::exchange(paused_, {})) each->set();
  for (const auto& [number, each] : std::exchange(inflows_, {})) each->detach();
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
  if (!is_his) give(number);
  to.count(1 + sizeof number);
  to.number(static_cast<std::uint8_t>(sort));
  to.number(number);
}

cell* peer::get_ref(reader& from, const protocol_table& messages) {
  reader inner(from.take(from.count_of(1, 0)));
  const auto sort = static_cast<whose>(inner.number<std::uint8_t>());
  if (sort == whose::nobodys) return nullptr;
  const auto number = inner.number<std::uint64_t>();
  if (sort == whose::of_the_writer) {
    receive_number(number);
    return stand_in_for(number, messages);
  }
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

void peer::give(std::uint64_t number) {
  given_in_frame_.push_back(number);
  if (++given_[number] == 1) node_->hold(number);
}

void peer::take_back(std::uint64_t number, std::uint64_t times) noexcept {
  const auto known = given_.find(number);
  if (known == given_.end()) return;  // it has ended
  known->second -= std::min(known->second, times);
  if (known->second != 0) return;
  given_.erase(known);
  forget_inflow(number);
  node_->let_go(number);
}

void peer::forget_inflow(std::uint64_t number) noexcept {
  const auto known = inflows_.find(number);
  if (known == inflows_.end()) return;
  known->second->detach();
  inflows_.erase(known);
}

void peer::release_refs() {
  std::vector<stand_in*> unused;
  for (const auto& [number, each] : stand_ins_)
    if (each->unused()) unused.push_back(each);
  for (stand_in* const each : unused) each->let_go();
  for (auto each = known_.begin(); each != known_.end();) {
    if (each->second.names != 0 || stand_ins_.contains(each->first)) {
      ++each;
      continue;
    }
    begin(frame::release);
    out_.number(each->first);
    out_.number(each->second.told);
    end();
    receive_resume(each->first);
    each = known_.erase(each);
  }
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
