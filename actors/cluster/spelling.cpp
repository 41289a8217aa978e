#include <troupe/actors/cluster/spelling.hpp>

#include <array>
#include <cctype>
#include <utility>

namespace troupe::cluster::internal {

namespace {

bool in_a_word(char at) { return std::isalnum(static_cast<unsigned char>(at)) != 0 || at == '_'; }

/// Replaces all, but not within longer words.
void replace(std::string& in, std::string_view what, std::string_view by) {
  for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at)) {
    const std::size_t end = at + what.size();
    const bool begins_within = in_a_word(what.front()) && at != 0 && in_a_word(in[at - 1]);
    const bool ends_within = in_a_word(what.back()) && end < in.size() && in_a_word(in[end]);
    if (begins_within || ends_within) {
      at = end;
      continue;
    }
    in.replace(at, what.size(), by);
    at += by.size();
  }
}

/// Takes out arguments of templates that are there unless somebody says otherwise, which some write and some do not.
void drop(std::string& in, std::string_view argument) {
  for (std::size_t at = in.find(argument); at != std::string::npos; at = in.find(argument, at)) {
    std::size_t end = at + argument.size();
    for (int open = 1; open != 0 && end < in.size(); ++end)
      open += in[end] == '<' ? 1 : in[end] == '>' ? -1 : 0;
    in.erase(at, end - at);
  }
}

}  // namespace

std::string spelled_alike(std::string_view name) {
  // Longer ones come first.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> spellings = {{
      {"{anonymous}", "(anonymous namespace)"},
      {"std::__cxx11::", "std::"},
      {"std::__1::", "std::"},
      {"long long unsigned int", "unsigned long long"},
      {"long long int", "long long"},
      {"long unsigned int", "unsigned long"},
      {"long int", "long"},
      {"short unsigned int", "unsigned short"},
      {"short int", "short"},
      {" *", "*"},
      {" &", "&"},
      {" >", ">"},
  }};
  std::string made(name);
  for (const auto& [one, other] : spellings) replace(made, one, other);
  for (const char* const each : {", std::char_traits<", ", std::allocator<", ", std::less<",
                                 ", std::hash<", ", std::equal_to<"})
    drop(made, each);
  return made;
}

}  // namespace troupe::cluster::internal
