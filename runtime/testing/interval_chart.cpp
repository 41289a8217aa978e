#include <troupe/runtime/testing/interval_chart.hpp>

#include <troupe/runtime/testing/clock_text.hpp>

#include <algorithm>
#include <map>
#include <tuple>

namespace troupe::testing::internal {

namespace {

using calls = std::vector<const recorded_call*>;

constexpr std::size_t most_rows = 12;
constexpr std::size_t width = 4;  // of the time from one event to the next
constexpr std::size_t most_label = 44;

std::string padded(std::string text, std::size_t size) {
  if (text.size() > size) {
    text.resize(size - 1);
    text += '~';
  }
  text.resize(size, ' ');
  return text;
}

}  // namespace

std::string labelled(const recorded_call& call, bool answered) {
  const std::string seen = call.call->seen_text();
  if (!answered) return call.call->text() + " ...";
  return call.call->text() + (seen.empty() ? "" : " = " + seen);
}

namespace {

/// Those to be shown: at the same time as `wrong`, then those that the order has, then those that came before, the latest first.
calls chosen(calls all, const calls& order, const recorded_call& wrong) {
  const auto rank = [&](const recorded_call* each) {
    if (each == &wrong) return 0;
    const bool open = each->end > wrong.end;
    const bool placed = std::find(order.begin(), order.end(), each) != order.end();
    if (open) return placed ? 1 : 3;
    return each->end > wrong.begin ? 1 : 2;
  };
  std::vector<std::pair<int, const recorded_call*>> ranked;
  for (const recorded_call* each : all) ranked.emplace_back(rank(each), each);
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.first, b.second->end, b.second->begin) <
           std::tuple(b.first, a.second->end, a.second->begin);
  });
  all.clear();
  for (const auto& each : ranked) {
    if (all.size() < most_rows) all.push_back(each.second);
  }
  std::sort(all.begin(), all.end(), [](const recorded_call* a, const recorded_call* b) {
    return a->client != b->client ? a->client < b->client : a->begin < b->begin;
  });
  return all;
}

std::string bar(std::size_t from, std::size_t to, bool open, const std::string& mark) {
  std::string line(to + 1, ' ');
  std::fill(line.begin() + static_cast<std::ptrdiff_t>(from), line.end(), '-');
  line[from] = '|';
  line[to] = open ? '>' : '|';
  const std::size_t middle = from + (to - from + 1 - mark.size()) / 2;
  line.replace(middle, mark.size(), mark);
  return line;
}

}  // namespace

std::string interval_chart(const calls& all, const calls& order, const recorded_call& wrong) {
  const calls rows = chosen(all, order, wrong);
  std::map<std::uint64_t, std::size_t> columns;
  std::size_t client_width = 0;
  std::size_t label_width = 0;
  bool timed = false;
  const auto is_open = [&](const recorded_call* each) { return each->end > wrong.end; };
  const auto label = [&](const recorded_call* each) { return labelled(*each, !is_open(each)); };
  for (const recorded_call* each : rows) {
    columns[each->begin] = 0;
    if (!is_open(each)) columns[each->end] = 0;
    client_width = std::max(client_width, std::min(each->client.size(), most_label));
    label_width = std::max(label_width, std::min(label(each).size(), most_label));
    timed = timed || each->began != rows.front()->began ||
            (!is_open(each) && each->ended != rows.front()->began);
  }
  std::size_t next = 0;
  for (auto& [event, column] : columns) column = width * next++;
  std::string text;
  const std::string* client = nullptr;
  for (const recorded_call* each : rows) {
    const bool same = client != nullptr && *client == each->client;
    client = &each->client;
    const auto place = std::find(order.begin(), order.end(), each);
    std::string mark = place == order.end() ? "?" : std::to_string(place - order.begin() + 1);
    if (each == &wrong) mark = "!";
    const std::size_t to = is_open(each) ? width * next : columns[each->end];
    text += "  " + padded(same ? "" : *client, client_width) + "  ";
    if (timed) text += clock_text(each->began) + "  ";
    text += padded(label(each), label_width) + "  " +
            bar(columns[each->begin], to, is_open(each), mark.size() < width ? mark : "*") + "\n";
  }
  return text;
}

}  // namespace troupe::testing::internal
