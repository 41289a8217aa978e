#include <troupe/actors/cluster/delivery.hpp>
#include <troupe/actors/cluster/reliable.hpp>

#include <troupe/actors/cluster/errors.hpp>
#include <troupe/actors/cluster/wire.hpp>
#include <troupe/runtime/failure.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

namespace troupe::cluster::internal {

std::string receiver_name(std::string_view name) {
  constexpr std::size_t longest = 1000;
  if (!is_name(name, longest))
    throw std::invalid_argument(
        "what is sent to reliably needs a name, of up to 1000 bytes and without control "
        "characters");
  return std::string(node_access::reserved) + "reliable/" + std::string(name);
}

std::shared_ptr<sender_lines> lines_of(node_access on, const std::string& name) {
  std::shared_ptr<void>& place = on.shared(name);
  if (place == nullptr) place = std::make_shared<sender_lines>();
  return std::static_pointer_cast<sender_lines>(place);
}

std::shared_ptr<sender_line> sender_lines::of(const std::string& sender, std::size_t most) {
  ++deliveries;
  auto known = all.find(sender);
  if (known == all.end()) {
    if (all.size() >= most) {
      auto oldest = all.end();
      for (auto each = all.begin(); each != all.end(); ++each) {
        if (!each->second->here.empty()) continue;
        if (oldest == all.end() || each->second->used < oldest->second->used) oldest = each;
      }
      if (oldest != all.end()) all.erase(oldest);
    }
    known = all.emplace(sender, std::make_shared<sender_line>()).first;
  }
  known->second->used = deliveries;
  return known->second;
}

void sender_line::wake(std::uint64_t number) {
  const auto [begin, end] = waiting.equal_range(number);
  for (auto each = begin; each != end; ++each) each->second->set();
}

// --- the place of a delivery ------------------------------------------------------------------------------------------

delivery_place::delivery_place(std::shared_ptr<sender_line> line, std::uint64_t number,
                               std::uint64_t oldest)
    : line_(std::move(line)), number_(number) {
  line_->here.insert(number_);
  if (oldest != 0) line_->floor = std::max(line_->floor, oldest - 1);
}

delivery_place::~delivery_place() {
  line_->here.erase(line_->here.find(number_));
  if (in_hand_) line_->busy = false;
  line_->wake(number_);  // which may have come twice
  line_->wake(number_ + 1);
}

void delivery_place::done() noexcept { line_->last = std::max(line_->last, number_); }

coro<bool> delivery_place::ask_store(receiver_store& store, std::string sender) {
  using asked = sender_line::asked;
  sender_line& line = *line_;
  while (line.store == asked::now) co_await line.store_answered.wait();
  if (line.store == asked::done) co_return true;
  line.store = asked::now;
  std::exception_ptr error;
  struct asking {  // it may be cancelled
    sender_line& of;
    ~asking() {
      if (of.store == asked::now) of.store = asked::not_yet;
      of.store_answered.set();
      of.store_answered.clear();
    }
  } const until_here{line};
  try {
    auto loading = store.last(std::move(sender));
    const std::uint64_t last = co_await std::move(loading);
    line.last = std::max(line.last, last);
    line.store = asked::done;
  } catch (const cancelled&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  if (error == nullptr) co_return true;
  loop::current()->report({"what a sender has sent before could not be looked up", error});
  co_return false;
}

coro<std::optional<receipt::sort>> delivery_place::turn(receiver_store* store, std::string sender,
                                                        std::size_t most) {
  using sort = receipt::sort;
  sender_line& line = *line_;
  if (store != nullptr) {
    auto asking = ask_store(*store, std::move(sender));
    const bool known = co_await std::move(asking);
    if (!known) co_return sort::again;
  }
  for (;;) {
    if (!line.busy) line.last = std::max(line.last, line.floor);
    if (number_ <= line.last) co_return sort::handled;
    const bool is_next = number_ == line.last + 1;
    if (is_next && !line.busy) break;
    if (!is_next && !line.here.contains(number_ - 1)) co_return sort::again;
    if (line.here.size() > most) co_return sort::again;
    event mine;
    const auto entry = line.waiting.emplace(number_, &mine);
    const struct leaving {
      sender_line& of;
      decltype(entry) where;
      ~leaving() { of.waiting.erase(where); }
    } until_here{line, entry};
    co_await mine.wait();
  }
  line.busy = true;
  in_hand_ = true;
  co_return std::nullopt;
}

// --- what became of it ------------------------------------------------------------------------------------------------

attempt_end judge_attempt(const std::exception_ptr& failed, delivery_place& place, int most,
                          receipt& made) {
  if (failed == nullptr) return attempt_end::settled;
  try {
    std::rethrow_exception(failed);
  } catch (const rejected& why) {
    made = {receipt::sort::refused, why.what()};
    return attempt_end::settled;
  } catch (const actor_dead&) {
    return attempt_end::actor_gone;
  } catch (const node_lost&) {
    return attempt_end::actor_gone;
  } catch (const mailbox_full&) {
    return attempt_end::again;
  } catch (...) {
  }
  if (!place.failed(most)) return attempt_end::again;
  made = {receipt::sort::refused,
          "its handler has failed " + std::to_string(most) + " times: " + troupe::describe(failed)};
  return attempt_end::settled;
}

bool delivery_place::failed(int most) noexcept {
  if (std::exchange(line_->tried, number_) != number_) line_->attempts = 0;
  return ++line_->attempts >= most;
}

coro<> note_handled(std::shared_ptr<receiver_store> store, std::string sender,
                    std::uint64_t number) {
  std::exception_ptr error;
  try {
    auto noting = store->handled(std::move(sender), number);
    co_await std::move(noting);
  } catch (const cancelled&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  if (error != nullptr)
    loop::current()->report({"that a message was handled could not be written down", error});
}

void check(const receiver_options& options) {
  if (options.attempts < 1 || options.window == 0 || options.most_senders == 0)
    throw std::invalid_argument(
        "a receiver of reliable messages needs one attempt, one sender, and room for one message "
        "at least");
}

}  // namespace troupe::cluster::internal
