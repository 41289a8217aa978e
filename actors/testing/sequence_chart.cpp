#include <troupe/actors/testing/sequence_chart.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/internal/early_trace.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/testing/clock_text.hpp>

#include <algorithm>
#include <unordered_set>

namespace troupe::testing {

namespace {

using kind = trace_event::kind;

constexpr std::size_t least_width = 10;  // of a lane, between its line and the next
constexpr std::size_t most_width = 28;
constexpr std::size_t indent = 15;

std::vector<internal::shower>& showers() {
  static std::vector<internal::shower> all;
  return all;
}

/// Without its namespaces: "deposit" of "bank::messages::deposit".
std::string_view short_name(std::string_view full) {
  const std::size_t arguments = full.find('<');
  const std::size_t colons = full.rfind("::", arguments);
  return colons == std::string_view::npos ? full : full.substr(colons + 2);
}

/// `text` on `line` from column `at` on.
void put(std::string& line, std::size_t at, std::string_view text) {
  if (line.size() < at + text.size()) line.resize(at + text.size(), ' ');
  line.replace(at, text.size(), text);
}

std::string cut(std::string text, std::size_t size) {
  if (text.size() > size) {
    text.resize(size > 1 ? size - 1 : 0);
    text += '~';
  }
  return text;
}

std::string escaped(std::string_view text, bool markup) {
  std::string safe;
  for (const char each : text) {
    switch (each) {
      case '<':
        safe += markup ? "&lt;" : "#lt;";
        break;
      case '>':
        safe += markup ? "&gt;" : "#gt;";
        break;
      case '&':
        safe += markup ? "&amp;" : "#amp;";
        break;
      case '"':
        safe += markup ? "&quot;" : "#quot;";
        break;
      case ';':
        safe += markup ? ";" : "#59;";
        break;
      case '\n':
        safe += ' ';
        break;
      default:
        safe += each;
    }
  }
  return safe;
}

}  // namespace

void internal::add_shower(shower added) { showers().push_back(std::move(added)); }

sequence_chart::sequence_chart() { lanes_.push_back({"scenario", 0}); }
sequence_chart::~sequence_chart() = default;

void sequence_chart::opened(loop& home) {
  if (trace_ == nullptr) trace_ = std::make_unique<troupe::internal::early_trace>(*this);
  trace_->add(home);
}

// --- recording --------------------------------------------------------------------------------------------------------

std::size_t sequence_chart::lane_of(std::uint64_t actor, const trace_event& event) {
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    if (lanes_[index].actor == actor) return index;
  }
  const bool is_it = event.actor == actor && event.who;
  std::string name = is_it ? event.who.cell()->description() : "actor " + std::to_string(actor);
  // "account 'main'" is called main; "bank::account" account, with its number when it is not the only one.
  if (const std::size_t quote = name.find('\''); quote != std::string::npos) {
    name = name.substr(quote + 1, name.size() - quote - 2);
  } else {
    name = std::string(short_name(name));
    const bool taken = std::any_of(lanes_.begin(), lanes_.end(),
                                   [&](const lane& each) { return each.name == name; });
    if (taken) name += " " + std::to_string(actor);
  }
  lanes_.push_back({std::move(name), actor});
  return lanes_.size() - 1;
}

std::string sequence_chart::label_of(const trace_event& event) const {
  std::string shown;
  for (auto each = showers().rbegin(); each != showers().rend(); ++each) {
    if ((*each)(event, shown)) break;
  }
  const std::string name(short_name(event.type));
  return shown.empty() ? name : name + " " + shown;
}

void sequence_chart::see(const trace_event& event) noexcept {
  row seen{event.what,
           event.when,
           lane_of(event.by, event),
           lane_of(event.actor, event),
           event.message,
           event.cause,
           event.ask,
           false,
           {}};
  switch (event.what) {
    case kind::sent:
      seen.label = label_of(event);
      sent_.push_back({event.message, std::move(seen)});
      return;
    case kind::delivered:
    case kind::lost: {
      const auto found = std::find_if(sent_.begin(), sent_.end(), [&](const under_way& each) {
        return each.message == event.message;
      });
      if (found != sent_.end()) {
        seen.label = std::move(found->sent.label);
        seen.from = found->sent.from;
        seen.cause = found->sent.cause;
        sent_.erase(found);
      } else {
        seen.label = label_of(event);
      }
      break;
    }
    case kind::replied:
    case kind::failed:
      // The answer goes from who gives it to who has asked.
      seen.label = std::string(short_name(event.type));
      if (event.error) seen.label += ": " + describe(event.error);
      break;
    case kind::spawned:
      if (seen.to == 0) return;
      seen.label = "spawned";
      break;
    case kind::crashed:
      seen.label = "crashed: " + describe(event.error);
      break;
    case kind::restarted:
      seen.label = "restarted";
      break;
    case kind::stopped:
      seen.label = event.error ? "stopped, crashed" : "stopped";
      break;
  }
  rows_.push_back(std::move(seen));
}

/// All rows, those of messages that are still under way at the end, with marks on what led to the last crash, failure or message.
std::vector<sequence_chart::row> sequence_chart::finished() const {
  std::vector<row> all = rows_;
  for (const under_way& each : sent_) {
    all.push_back(each.sent);
    all.back().label += " (not handled)";
  }
  auto last = std::find_if(all.rbegin(), all.rend(), [](const row& each) {
    return each.what == kind::crashed || each.what == kind::failed;
  });
  if (last == all.rend()) {
    last = std::find_if(all.rbegin(), all.rend(), [](const row& each) {
      return each.what == kind::delivered || each.what == kind::replied;
    });
  }
  if (last == all.rend()) return all;
  last->leads_to_end = true;
  std::unordered_set<std::uint64_t> wanted{last->cause, last->message};
  wanted.erase(0);
  for (auto each = std::next(last); each != all.rend(); ++each) {
    if (each->what != kind::delivered || !wanted.contains(each->message)) continue;
    each->leads_to_end = true;
    if (each->cause != 0) wanted.insert(each->cause);
  }
  return all;
}

// --- showing ----------------------------------------------------------------------------------------------------------

std::string sequence_chart::text(std::size_t rows) const {
  const std::vector<row> all = finished();
  if (all.empty()) return {};
  // Each lane is as far from the next as the longest label between them wants.
  std::vector<std::size_t> places;
  std::size_t place = indent;
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    places.push_back(place);
    std::size_t width = std::max(least_width, lanes_[index].name.size() + 2);
    for (const row& each : all) {
      const auto [left, right] = std::minmax(each.from, each.to);
      if (left == index && right == index + 1) width = std::max(width, each.label.size() + 6);
    }
    place += std::min(width, most_width);
  }
  std::string result;
  std::string head;
  for (std::size_t index = 0; index < lanes_.size(); ++index)
    put(head, places[index], cut(lanes_[index].name, most_width - 2));
  result += head + '\n';
  const std::size_t first = all.size() > rows ? all.size() - rows : 0;
  if (first != 0) result += "  ... " + std::to_string(first) + " earlier\n";
  for (std::size_t index = first; index < all.size(); ++index) {
    const row& each = all[index];
    std::string line;
    put(line, 0, each.leads_to_end ? "*" : " ");
    put(line, 1, internal::clock_text(each.when));
    for (const std::size_t at : places) put(line, at, "|");
    const bool is_message = each.what == kind::delivered || each.what == kind::lost ||
                            each.what == kind::replied || each.what == kind::failed ||
                            each.what == kind::sent;
    if (is_message && each.from != each.to) {
      const bool back = each.what == kind::replied || each.what == kind::failed;
      const std::size_t start = places[each.from];
      const std::size_t end = places[each.to];
      const auto [left, right] = std::minmax(start, end);
      line.replace(left + 1, right - left - 1, std::string(right - left - 1, back ? '.' : '-'));
      const std::size_t room = right - left > 4 ? right - left - 4 : 0;
      put(line, left + 2 + (start > end ? 1 : 0), cut(each.label, room));
      line[start] = 'o';
      if (each.what == kind::lost || each.what == kind::sent) {
        line[end] = 'x';
      } else {
        line[start < end ? end - 1 : end + 1] = start < end ? '>' : '<';
      }
    } else {
      const char sign = each.what == kind::crashed ? 'X' : each.what == kind::stopped ? '#' : '+';
      put(line, places[each.to], std::string(1, is_message ? '@' : sign) + " " + each.label);
    }
    result += line + '\n';
  }
  return result;
}

std::string sequence_chart::mermaid() const {
  std::string result = "sequenceDiagram\n";
  for (std::size_t index = 0; index < lanes_.size(); ++index)
    result += "  participant L" + std::to_string(index) + " as " +
              escaped(lanes_[index].name, false) + "\n";
  for (const row& each : finished()) {
    const std::string from = "L" + std::to_string(each.from);
    const std::string to = "L" + std::to_string(each.to);
    const std::string label = escaped(each.label, false);
    switch (each.what) {
      case kind::delivered:
        result += "  " + from + "->>" + to + ": " + label + "\n";
        break;
      case kind::replied:
      case kind::failed:
        result += "  " + from + "-->>" + to + ": " + label + "\n";
        break;
      case kind::lost:
      case kind::sent:
        result += "  " + from + "-x" + to + ": " + label + "\n";
        break;
      default:
        result += "  Note over " + to + ": " + label + "\n";
    }
  }
  return result;
}

std::string sequence_chart::svg() const {
  constexpr std::size_t between = 180;
  constexpr std::size_t step = 26;
  const std::vector<row> all = finished();
  const std::size_t width = between * (lanes_.size() + 1);
  const std::size_t height = step * (all.size() + 4);
  const auto number = [](std::size_t value) { return std::to_string(value); };
  const auto x_of = [&](std::size_t index) { return between * index + between / 2 + 60; };
  std::string result =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width) + "\" height=\"" +
      number(height) +
      "\" font-family=\"sans-serif\" font-size=\"12\">\n<defs><marker id=\"head\" "
      "markerWidth=\"8\" "
      "markerHeight=\"8\" refX=\"7\" refY=\"4\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\"/>"
      "</marker></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    const std::string x = number(x_of(index));
    result += "<text x=\"" + x + "\" y=\"20\" text-anchor=\"middle\" font-weight=\"bold\">" +
              escaped(lanes_[index].name, true) + "</text>\n<line x1=\"" + x +
              "\" y1=\"30\" x2=\"" + x + "\" y2=\"" + number(height - step) +
              "\" stroke=\"#bbb\"/>\n";
  }
  std::size_t y = 30;
  for (const row& each : all) {
    y += step;
    const std::string colour =
        each.what == kind::crashed || each.what == kind::failed || each.what == kind::lost ? "#c00"
        : each.leads_to_end                                                                ? "#06c"
                                                                                           : "#333";
    result += "<text x=\"4\" y=\"" + number(y + 4) + "\" fill=\"#999\" font-size=\"10\">" +
              internal::clock_text(each.when) + "</text>\n";
    const bool back = each.what == kind::replied || each.what == kind::failed;
    const bool is_message =
        back || each.what == kind::delivered || each.what == kind::lost || each.what == kind::sent;
    const std::string label = escaped(each.label, true);
    if (is_message && each.from != each.to) {
      result += "<line x1=\"" + number(x_of(each.from)) + "\" y1=\"" + number(y) + "\" x2=\"" +
                number(x_of(each.to)) + "\" y2=\"" + number(y) + "\" stroke=\"" + colour +
                "\" marker-end=\"url(#head)\"" + (back ? " stroke-dasharray=\"4 3\"" : "") +
                "/>\n<text x=\"" + number((x_of(each.from) + x_of(each.to)) / 2) + "\" y=\"" +
                number(y - 4) + "\" text-anchor=\"middle\" fill=\"" + colour + "\">" + label +
                "</text>\n";
    } else {
      result += "<circle cx=\"" + number(x_of(each.to)) + "\" cy=\"" + number(y) +
                "\" r=\"3\" fill=\"" + colour + "\"/>\n<text x=\"" + number(x_of(each.to) + 8) +
                "\" y=\"" + number(y + 4) + "\" fill=\"" + colour + "\">" + label + "</text>\n";
    }
  }
  return result + "</svg>\n";
}

}  // namespace troupe::testing
