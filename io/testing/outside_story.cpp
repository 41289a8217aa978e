#include <troupe/io/testing/internal/outside_story.hpp>

#include <troupe/runtime/testing/clock_text.hpp>

#include <algorithm>
#include <memory>

namespace troupe::testing::internal {

namespace {

constexpr std::size_t most_shown = 40;  // of what is sent
constexpr std::size_t ends_width = 32;

thread_local outside_story* here = nullptr;

std::string shown(std::string_view content) {
  std::string made = "'";
  for (const char each : content.substr(0, most_shown)) {
    if (each == '\n') {
      made += "\\n";
    } else {
      made += each >= ' ' && each < '\x7f' ? each : '.';
    }
  }
  if (content.size() <= most_shown) return made + "'";
  return made + "'... " + std::to_string(content.size()) + " bytes";
}

std::unique_ptr<witness> make() { return std::make_unique<outside_story>(); }

[[maybe_unused]] const bool added = add_witness(&make);

}  // namespace

outside_story::outside_story() noexcept { here = this; }
outside_story::~outside_story() { here = nullptr; }
outside_story* outside_story::current() noexcept { return here; }

void outside_story::note(time_point when, std::string_view what, std::string_view content) {
  if (++lines_ > most_lines) return;
  text_ += lines_ == most_lines ? "..." : " " + clock_text(when) + "     " + std::string(what);
  if (!content.empty() && lines_ != most_lines) text_ += " " + shown(content);
  text_ += '\n';
}

void outside_story::note(time_point when, const io::endpoint& from, const io::endpoint& to,
                         std::string_view what, std::string_view content) {
  std::string line = from.text() + " -> " + to.text();
  line.resize(std::max(line.size(), ends_width), ' ');
  if (!content.empty()) line += " " + shown(content);
  if (!what.empty()) line += " " + std::string(what);
  note(when, line);
}

}  // namespace troupe::testing::internal
