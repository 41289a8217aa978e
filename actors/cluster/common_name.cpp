#include <troupe/actors/cluster/common_name.hpp>

#include <cctype>
#include <cstddef>
#include <utility>

namespace troupe::cluster::internal {

namespace {

bool of_word(char each) noexcept {
  return std::isalnum(static_cast<unsigned char>(each)) != 0 || each == '_';
}
bool is_digit(char each) noexcept { return each >= '0' && each <= '9'; }

void replace_all(std::string& in, std::string_view what, std::string_view by) {
  for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + by.size()))
    in.replace(at, what.size(), by);
}

void replace_words(std::string& in, std::string_view what, std::string_view by) {
  for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + 1)) {
    const std::size_t end = at + what.size();
    const bool alone = (at == 0 || !of_word(in[at - 1])) && (end == in.size() || !of_word(in[end]));
    if (alone) in.replace(at, what.size(), by);
  }
}

/// The arguments that containers have when nobody says anything else.
void remove_default_arguments(std::string& from) {
  for (const std::string_view begin :
       {", std::char_traits<", ", std::allocator<", ", std::less<", ", std::hash<",
        ", std::equal_to<", ", std::default_delete<"}) {
    for (std::size_t at = from.find(begin); at != std::string::npos; at = from.find(begin, at)) {
      std::size_t end = at + begin.size();
      for (std::size_t depth = 1; depth != 0 && end < from.size(); ++end)
        depth += from[end] == '<' ? 1U : from[end] == '>' ? static_cast<std::size_t>(-1) : 0U;
      from.erase(at, end - at);
    }
  }
}

void remove_spaces(std::string& from) {
  std::string kept;
  for (std::size_t at = 0; at < from.size(); ++at) {
    const char next = at + 1 < from.size() ? from[at + 1] : '\0';
    const bool before_sign = next == '>' || next == '*' || next == '&' ||
                             (next == '(' && !kept.empty() && kept.back() != ',');
    if (from[at] != ' ' || !before_sign) kept += from[at];
  }
  from = std::move(kept);
}

/// 3UL is 3.
void remove_suffixes(std::string& from) {
  std::string kept;
  for (std::size_t at = 0; at < from.size(); ++at) {
    kept += from[at];
    if (!is_digit(from[at])) continue;
    std::size_t begin = kept.size();
    while (begin != 0 && is_digit(kept[begin - 1])) --begin;
    if (begin != 0 && of_word(kept[begin - 1])) continue;  // a part of a name
    while (at + 1 < from.size() && (from[at + 1] == 'U' || from[at + 1] == 'L')) ++at;
  }
  from = std::move(kept);
}

}  // namespace

std::string common_name(std::string_view name) {
  std::string made(name);
  replace_all(made, "{anonymous}", "(anonymous namespace)");
  replace_all(made, "<unnamed>", "(anonymous namespace)");
  replace_all(made, "std::__cxx11::", "std::");
  replace_all(made, "std::__1::", "std::");
  replace_words(made, "long long unsigned int", "unsigned long long");
  replace_words(made, "long unsigned int", "unsigned long");
  replace_words(made, "short unsigned int", "unsigned short");
  replace_words(made, "long long int", "long long");
  replace_words(made, "long int", "long");
  replace_words(made, "short int", "short");
  remove_spaces(made);
  remove_suffixes(made);
  remove_default_arguments(made);
  return made;
}

}  // namespace troupe::cluster::internal
