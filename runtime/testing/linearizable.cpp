#include <troupe/runtime/testing/linearizable.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/testing/interval_chart.hpp>
#include <troupe/runtime/testing/order_search.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace troupe::testing {

namespace {

using internal::interval;
using internal::never;
using internal::order_search;
using internal::recorded_call;
using calls = std::vector<const recorded_call*>;

constexpr std::size_t most_listed = 12;  // of an order, in a text

/// Those that were called before the event `until`, in the order of their calls. What is answered later has no answer yet.
calls before(const calls& all, std::uint64_t until) {
  calls some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some),
               [until](const recorded_call* each) { return each->begin < until; });
  return some;
}

order_search search_before(const calls& some, std::uint64_t until,
                           const internal::any_state& initial, std::size_t most) {
  std::vector<interval> intervals;
  for (const recorded_call* each : some) {
    const bool seen = each->end < until;
    intervals.push_back({each->call.get(), each->begin, seen ? each->end : never, seen});
  }
  return order_search(std::move(intervals), initial, most);
}

/// The first answer that no order explains, by bisection: what cannot be by some event cannot be by a later one either.
const recorded_call& first_wrong(const calls& all, const internal::any_state& initial,
                                 std::size_t most) {
  calls answered;
  std::copy_if(all.begin(), all.end(), std::back_inserter(answered),
               [](const recorded_call* each) { return each->end != never; });
  std::sort(answered.begin(), answered.end(),
            [](const recorded_call* a, const recorded_call* b) { return a->end < b->end; });
  std::size_t right = 0;
  std::size_t wrong = answered.size();  // so many answers cannot be
  while (right + 1 < wrong) {
    const std::size_t middle = right + (wrong - right) / 2;
    const std::uint64_t until = answered[middle - 1]->end + 1;
    order_search looking = search_before(before(all, until), until, initial, most);
    if (looking.run() == order_search::verdict::none) {
      wrong = middle;
    } else {
      right = middle;
    }
  }
  return *answered[wrong - 1];
}

/// What the model answers to `wrong` where `order` lets it be.
std::vector<std::string> answers_in(const calls& order, const recorded_call& wrong,
                                    const internal::any_state& initial, std::uint64_t until) {
  std::vector<std::string> answers;
  const std::unique_ptr<internal::any_state> state = initial.copy();
  const auto last_before = std::find_if(order.rbegin(), order.rend(),
                                        [&](const auto* each) { return each->end < wrong.begin; });
  auto left = static_cast<std::size_t>(order.rend() - last_before);
  const auto ask = [&] {
    std::string answer = wrong.call->answer_text(*state);
    if (answer.empty()) return;
    if (std::find(answers.begin(), answers.end(), answer) == answers.end())
      answers.push_back(std::move(answer));
  };
  if (left == 0) ask();
  for (const recorded_call* each : order) {
    if (each->end < until) {
      if (!each->call->happens(*state)) break;  // it needed the other one, with another answer
    } else if (each != &wrong) {
      each->call->happens_unseen(*state);
    }
    if (left > 0) --left;
    if (left == 0) ask();
  }
  return answers;
}

[[noreturn]] void fail(const calls& all, const internal::any_state& initial, std::size_t most) {
  const recorded_call& wrong = first_wrong(all, initial, most);
  const calls some = before(all, wrong.end);
  order_search looking = search_before(some, wrong.end, initial, most);
  calls order;
  if (looking.run() == order_search::verdict::found) {
    for (const std::size_t place : looking.order()) order.push_back(some[place]);
  }
  not_linearizable::details about;
  about.client = wrong.client;
  about.operation = wrong.call->text();
  about.seen = wrong.call->seen_text();
  about.key = wrong.key_text;
  about.possible = answers_in(order, wrong, initial, wrong.end);
  for (const recorded_call* each : order)
    about.order.push_back(each->client + ": " + internal::labelled(*each, each->end < wrong.end));
  about.chart = internal::interval_chart(some, order, wrong);
  throw not_linearizable(std::move(about));
}

std::string text_of_failure(const not_linearizable::details& about) {
  std::string text = "not linearizable: no order of the operations explains that " + about.client +
                     "'s " + about.operation +
                     (about.seen.empty() ? " is over" : " gave " + about.seen);
  if (!about.key.empty()) text += " (key " + about.key + ")";
  text += "\n  ";
  if (about.order.empty()) {
    text += "it is the first answer";
  } else {
    text += "up to there, this is an order that does for all others:";
    const std::size_t from =
        about.order.size() > most_listed ? about.order.size() - most_listed : 0;
    if (from > 0) text += "\n    ... and before these " + std::to_string(from) + " more";
    for (std::size_t place = from; place < about.order.size(); ++place)
      text += "\n    " + std::to_string(place + 1) + ". " + about.order[place];
    text += "\n ";
  }
  if (!about.possible.empty()) {
    text += about.order.empty() ? ", and the model says " : " in which the model says ";
    for (std::size_t each = 0; each < about.possible.size(); ++each)
      text += (each == 0 ? "" : " or ") + about.possible[each];
    text += " instead";
  }
  return text + "\n" + about.chart;
}

}  // namespace

not_linearizable::not_linearizable(details given)
    : detailed_failure("not linearizable", text_of_failure(given)), details_(std::move(given)) {}

// --- the record -------------------------------------------------------------------------------------------------------

std::size_t internal::recorded_calls::begins(recorded_call begun) {
  const std::lock_guard<std::mutex> guard(lock_);
  begun.begin = ++events_;
  begun.began = now();
  calls_.push_back(std::move(begun));
  return calls_.size() - 1;
}

void internal::recorded_calls::never_was(std::size_t number) {
  const std::lock_guard<std::mutex> guard(lock_);
  still_open(number).happened = false;
}

internal::recorded_call& internal::recorded_calls::still_open(std::size_t number) {
  recorded_call& call = calls_[number];
  if (call.end != never || !call.happened)
    throw invalid_state("the end of an operation in a history was told twice: " + call.client +
                        ": " + call.call->text());
  return call;
}

time_point internal::recorded_calls::now() noexcept {
  const loop* const here = loop::current();
  return here != nullptr ? here->time() : time_point();
}

linearization internal::recorded_calls::check(const any_state& initial,
                                              std::size_t most_configurations) const {
  const std::lock_guard<std::mutex> guard(lock_);
  linearization result;
  std::map<std::size_t, calls> by_key;
  for (const recorded_call& each : calls_) {
    if (!each.happened) continue;
    by_key[each.key].push_back(&each);
    ++result.operations;
    if (each.end == never) ++result.unanswered;
  }
  result.keys = by_key.size();
  for (const auto& [key, all] : by_key) {
    order_search looking = search_before(all, never, initial, most_configurations);
    const order_search::verdict verdict = looking.run();
    result.configurations += looking.configurations();
    if (verdict == order_search::verdict::none) fail(all, initial, most_configurations);
    if (verdict == order_search::verdict::undecided)
      throw linearizability_undecided("whether a history of " + std::to_string(all.size()) +
                                      " operations is linearizable is not decided after " +
                                      std::to_string(looking.configurations()) +
                                      " configurations; give more (most_configurations), a model "
                                      "that can be compared (operator==), "
                                      "a key (key_of), or a history with fewer operations at the "
                                      "same time or without an answer");
  }
  return result;
}

}  // namespace troupe::testing
