#include <troupe/actors/cluster/codec.hpp>
#include <troupe/actors/cluster/layout.hpp>

#include <algorithm>
#include <charconv>

namespace troupe::cluster {

namespace {

constexpr std::size_t longest = std::size_t{1} << 14;
constexpr std::size_t deepest = 32;

/// Takes a layout's text apart.
class parser {
 public:
  explicit parser(std::string_view text) : left_(text) {
    if (text.size() > longest) refuse("longer than there may be");
  }

  layout all() {
    layout found = one(0);
    if (!left_.empty()) refuse("which goes on behind its end");
    return found;
  }

 private:
  [[noreturn]] void refuse(const char* why) const {
    throw malformed(std::string("a peer has told a layout ") + why);
  }
  char next() {
    if (left_.empty()) refuse("that is cut off");
    const char found = left_.front();
    left_.remove_prefix(1);
    return found;
  }
  std::uint32_t number() {
    std::uint32_t found = 0;
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), found);
    if (error != std::errc()) refuse("with something else where a number has to be");
    left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
    return found;
  }

  layout scalar(char sort) {
    layout made{layout::kind::number, 1, std::string(1, sort), {}};
    if (sort == 'b') return made;
    made.size = number();
    made.name += std::to_string(made.size);
    const bool known =
        made.size == 4 || made.size == 8 || (sort != 'f' && (made.size == 1 || made.size == 2));
    if (!known) refuse("of numbers that there are not");
    return made;
  }

  /// What takes no bytes may not be many: nothing would limit how many.
  static bool takes_bytes(const layout& what) {
    switch (what.what) {
      case layout::kind::structure:
        return std::any_of(what.parts.begin(), what.parts.end(), &takes_bytes);
      case layout::kind::array:
        return what.size != 0 && takes_bytes(what.parts[0]);
      case layout::kind::duration:
      case layout::kind::time:
        return takes_bytes(what.parts[0]);
      default:
        return true;
    }
  }

  void parts_until(layout& into, char end, std::size_t depth) {
    while (left_.empty() || left_.front() != end) into.parts.push_back(one(depth));
    next();
  }

  layout one(std::size_t depth) {
    if (depth > deepest) refuse("deeper than there may be");
    using kind = layout::kind;
    layout made;
    switch (const char sort = next()) {
      case 'b':
      case 'i':
      case 'u':
      case 'f':
        return scalar(sort);
      case 's':
      case 'B':
      case 'R':
        made.what = sort == 's' ? kind::text : sort == 'B' ? kind::bytes : kind::ref;
        return made;
      case '?':
        made.what = kind::optional;
        break;
      case '*':
        made.what = kind::list;
        break;
      case '#':
        made.what = kind::array;
        made.size = number();
        break;
      case 't':
        made.what = kind::time;
        break;
      case 'd':
        made.what = kind::duration;
        made.name = std::to_string(number());
        if (next() != '/') refuse("with a period that is none");
        made.name += '/' + std::to_string(number());
        break;
      case '(':
        ++structs_;
        parts_until(made, ')', depth + 1);
        --structs_;
        return made;
      case '<':
        made.what = kind::variant;
        parts_until(made, '>', depth + 1);
        return made;
      case '^':
        made.what = kind::again;
        made.size = number();
        if (made.size >= structs_) refuse("that refers to what is not around it");
        return made;
      default:
        refuse("with a sort of values that is not known");
    }
    made.parts.push_back(one(depth + 1));
    const bool many = made.what == kind::list || made.what == kind::array;
    if (many && !takes_bytes(made.parts[0])) refuse("with many of what takes no bytes");
    return made;
  }

  std::string_view left_;
  std::size_t structs_ = 0;  ///< around what is looked at
};

bool fit(const layout& mine, const layout& theirs) {
  if (mine.what != theirs.what) return false;
  const bool may_grow = mine.what == layout::kind::structure;
  if (!may_grow && (mine.size != theirs.size || mine.name != theirs.name ||
                    mine.parts.size() != theirs.parts.size()))
    return false;
  const std::size_t common = std::min(mine.parts.size(), theirs.parts.size());
  for (std::size_t index = 0; index < common; ++index)
    if (!fit(mine.parts[index], theirs.parts[index])) return false;
  return true;
}

}  // namespace

layout layout::parse(std::string_view text) { return parser(text).all(); }

std::string layout::text() const {
  std::string inner;
  for (const layout& each : parts) inner += each.text();
  switch (what) {
    case kind::number:
      return name;
    case kind::text:
      return "s";
    case kind::bytes:
      return "B";
    case kind::ref:
      return "R";
    case kind::optional:
      return '?' + inner;
    case kind::list:
      return '*' + inner;
    case kind::array:
      return '#' + std::to_string(size) + inner;
    case kind::structure:
      return '(' + inner + ')';
    case kind::variant:
      return '<' + inner + '>';
    case kind::duration:
      return 'd' + name + inner;
    case kind::time:
      return 't' + inner;
    case kind::again:
      return '^' + std::to_string(size);
  }
  return {};
}

namespace internal {

namespace {

layout layout_of(const shape& given, std::vector<const shape*>& around) {
  layout made;
  made.what = given.what;
  made.size = given.size;
  if (given.what == layout::kind::number) {
    made.name = given.sort;
    if (given.sort != 'b') made.name += std::to_string(given.size);
  } else if (given.what == layout::kind::duration) {
    made.name = std::to_string(given.first) + '/' + std::to_string(given.second);
  } else if (given.what == layout::kind::structure) {
    const auto same = std::find(around.rbegin(), around.rend(), &given);
    if (same != around.rend())
      return {layout::kind::again, static_cast<std::uint32_t>(same - around.rbegin()), {}, {}};
    around.push_back(&given);
  }
  for (std::size_t index = 0; index < given.count; ++index)
    made.parts.push_back(layout_of(*given.parts[index], around));
  if (given.what == layout::kind::structure) around.pop_back();
  return made;
}

}  // namespace

std::string text_of(const shape& what) {
  std::vector<const shape*> around;
  return layout_of(what, around).text();
}

}  // namespace internal

bool readable(const layout& mine, const layout& theirs) { return fit(mine, theirs); }

}  // namespace troupe::cluster
