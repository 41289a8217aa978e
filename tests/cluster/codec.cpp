// Values as bytes, layouts, and what becomes of bytes that are none.
#include <troupe/actors/cluster/codec.hpp>

#include "support/catch.hpp"
#include "support/random_numbers.hpp"

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

using namespace troupe;
using namespace troupe::cluster;
using namespace std::chrono_literals;

namespace {

enum class color : std::uint8_t { red, green, blue };

struct point {
  double x = 0;
  double y = 0;
  bool operator==(const point&) const = default;
};
struct tree {
  int value = 0;
  std::vector<tree> below;
  bool operator==(const tree&) const = default;
};
struct nothing {
  bool operator==(const nothing&) const = default;
};

/// Something of each sort.
struct everything {
  std::int64_t number = 0;
  bool yes = false;
  std::string text;
  std::optional<point> perhaps;
  std::variant<int, std::string, nothing> either;
  std::vector<std::uint16_t> row;
  std::map<std::string, std::vector<point>> known;
  color shade = color::red;
  std::pair<char, float> two;
  std::array<short, 3> three{};
  std::chrono::milliseconds time{};
  std::set<std::string> words;
  tree shape;
  std::tuple<std::deque<bool>, std::unordered_map<int, int>> more;
  std::vector<std::byte> raw;
  std::chrono::sys_seconds when{};
  bool operator==(const everything&) const = default;
};

template <class T>
io::bytes encoded(const T& value) {
  writer to;
  encode(to, value);
  return to.take();
}
template <class T>
T decoded(const io::bytes& from, const layout* theirs = nullptr) {
  reader left(from.span());
  T found = decode<T>(left, theirs);
  CHECK(left.left() == 0);
  return found;
}

/// Values by chance.
class chance {
 public:
  explicit chance(std::uint64_t seed) : numbers_(seed) {}
  template <class T>
  T number() {
    // Small ones, and those at the ends, are as likely as others.
    const std::uint64_t drawn = numbers_.next();
    return static_cast<T>(drawn % 3 == 0   ? drawn >> 8
                          : drawn % 3 == 1 ? drawn >> 58
                                           : ~(drawn >> 60));
  }
  std::size_t below(std::size_t bound) { return numbers_.below(bound); }
  std::string text() {
    std::string made(below(5) == 0 ? below(300) : below(8), '\0');
    for (char& each : made) each = number<char>();
    return made;
  }
  tree shape(int deepest) {
    tree made{number<int>(), {}};
    for (std::size_t left = deepest == 0 ? 0 : below(3); left != 0; --left)
      made.below.push_back(shape(deepest - 1));
    return made;
  }
  point where() { return {number<std::int32_t>() / 3.0, number<std::int32_t>() * 1e100}; }
  everything all() {
    everything made;
    made.number = number<std::int64_t>();
    made.yes = below(2) != 0;
    made.text = text();
    if (below(2) != 0) made.perhaps = where();
    if (below(3) == 0) made.either = text();
    if (below(3) == 0) made.either = nothing{};
    for (std::size_t left = below(6); left != 0; --left)
      made.row.push_back(number<std::uint16_t>());
    for (std::size_t left = below(4); left != 0; --left) made.known[text()].push_back(where());
    made.shade = static_cast<color>(below(3));
    made.two = {number<char>(), number<std::int16_t>() / 7.0f};
    made.three = {number<short>(), number<short>(), number<short>()};
    made.time = std::chrono::milliseconds(number<std::int64_t>());
    for (std::size_t left = below(4); left != 0; --left) made.words.insert(text());
    made.shape = shape(4);
    for (std::size_t left = below(9); left != 0; --left)
      std::get<0>(made.more).push_back(below(2) != 0);
    for (std::size_t left = below(4); left != 0; --left)
      std::get<1>(made.more)[number<int>()] = number<int>();
    made.raw.resize(below(20), std::byte{7});
    made.when = std::chrono::sys_seconds(std::chrono::seconds(number<std::int32_t>()));
    return made;
  }

 private:
  testing::random_numbers numbers_;
};

void go_round(std::uint64_t seed, int count) {
  chance values(seed);
  const layout same = layout::parse(layout_text<everything>());
  for (int each = 0; each < count; ++each) {
    const everything given = values.all();
    const io::bytes bytes = encoded(given);
    REQUIRE((decoded<everything>(bytes) == given));
    REQUIRE((decoded<everything>(bytes, &same) == given));
    reader over(bytes.span());
    over.skip(same);
    REQUIRE(over.left() == 0);
  }
}

}  // namespace

TEST_CASE("values of all sorts are the same when they have been sent") { go_round(1, 1'000); }

/// A minute: for who has changed something here. `test-cluster "[long]"`
TEST_CASE("a million values of all sorts are the same when they have been sent", "[.][long]") {
  go_round(2, 1'000'000);
}

TEST_CASE("the layout of a type says what lies in it, also of one that lies in itself") {
  CHECK(layout_text<point>() == "(f8f8)");
  CHECK(layout_text<tree>() == "(i4*^0)");
  CHECK(layout_text<everything>() ==
        "(i8bs?(f8f8)<i4s()>*u2*(s*(f8f8))u1(i1f4)#3i2d1/1000i8*s(i4*^0)(*b*(i4i4))*u1td1/1i8)");
  for (const std::string& each : {layout_text<point>(), layout_text<everything>()})
    CHECK(layout::parse(each).text() == each);
}

namespace {

struct first_order {
  int number = 0;
  point where;
  bool operator==(const first_order&) const = default;
};
struct wider_point {
  double x = 0;
  double y = 0;
  double z = 7;
  std::vector<tree> trees;
  std::variant<std::string, std::map<int, tree>> also;
};
struct second_order {
  int number = 0;
  wider_point where;
  std::optional<tree> more;
  std::string note = "none";
  std::array<std::pair<int, std::string>, 2> pairs{};
};
struct other_order {
  std::int64_t number = 0;
  point where;
};

}  // namespace

TEST_CASE(
    "fields that were added at the end are passed over, and those that are missing keep what they "
    "begin with") {
  const layout first = layout::parse(layout_text<first_order>());
  const layout second = layout::parse(layout_text<second_order>());
  CHECK(readable(first, second));
  CHECK(readable(second, first));

  second_order given{3,
                     {1, 2, 3, {{1, {{2, {}}}}}, std::map<int, tree>{{1, {2, {{3, {}}}}}}},
                     tree{4, {{5, {}}}},
                     "text",
                     {}};
  given.pairs[1].second = "x";
  CHECK((decoded<first_order>(encoded(given), &second) == first_order{3, {1, 2}}));

  const auto found = decoded<second_order>(encoded(first_order{3, {1, 2}}), &first);
  CHECK(found.number == 3);
  CHECK(found.where.y == 2);
  CHECK(found.where.z == 7);
  CHECK(found.note == "none");
  CHECK_FALSE(found.more.has_value());
}

TEST_CASE("a layout that is changed in another way cannot be read") {
  const layout first = layout::parse(layout_text<first_order>());
  for (const char* const other :
       {"(i8(f8f8))", "(i4(f4f8))", "(i4?(f8f8))", "(u4(f8f8))", "(i4*f8)", "i4", "(s(f8f8))"})
    CHECK_FALSE(readable(first, layout::parse(other)));
  CHECK_FALSE(readable(layout::parse("<i4s>"), layout::parse("<i4>")));
  CHECK_FALSE(readable(layout::parse("#3i4"), layout::parse("#4i4")));
  CHECK_FALSE(readable(layout::parse("d1/1000i8"), layout::parse("d1/1i8")));
}

TEST_CASE("what is no layout is refused") {
  for (const char* const each : {"", "(", "i3", "f2", "x", "i4i4", "^0", "(^1)", "#i4", "*()",
                                 "#9999999999i4", "d1i8", "#4294967295(())"}) {
    INFO(each);
    CHECK_THROWS_AS(layout::parse(each), malformed);
  }
  std::string deep;
  for (int each = 0; each < 100; ++each) deep += '*';
  deep += "i4";
  CHECK_THROWS_AS(layout::parse(deep), malformed);
  std::string wide = "(";
  for (int each = 0; each < 20'000; ++each) wide += 's';
  wide += ')';
  CHECK_THROWS_AS(layout::parse(wide), malformed);
}

TEST_CASE("bytes that were cut off, at any place, are refused") {
  const io::bytes whole = encoded(chance(3).all());
  const layout theirs = layout::parse(layout_text<everything>());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    reader from(whole.span().first(size));
    CHECK_THROWS_AS(decode<everything>(from), malformed);
    reader over(whole.span().first(size));
    CHECK_THROWS_AS(over.skip(theirs), malformed);
  }
}

namespace {

void mutate(std::uint64_t seed, int count) {
  chance values(seed);
  const layout same = layout::parse(layout_text<everything>());
  const layout wider = layout::parse(
      "(" + layout_text<everything>().substr(1, layout_text<everything>().size() - 2) + "*(s?i4))");
  for (int each = 0; each < count; ++each) {
    io::bytes bytes = encoded(values.all());
    for (std::size_t left = values.below(4) + 1; left != 0; --left)
      bytes.data()[values.below(bytes.size())] =
          static_cast<std::byte>(values.number<std::uint8_t>());
    for (const layout* theirs : {static_cast<const layout*>(nullptr), &same, &wider}) {
      try {
        reader from(bytes.span(), {.memory = 100'000, .depth = 16});
        static_cast<void>(decode<everything>(from, theirs));
      } catch (const malformed&) {
      }
    }
  }
}

}  // namespace

TEST_CASE("bytes that were changed are read as something else, or refused") { mutate(4, 3'000); }

TEST_CASE("a hundred thousand messages that were changed are read as something else, or refused",
          "[.][long]") {
  mutate(5, 100'000);
}

TEST_CASE("a message takes no more memory than it may, however many things it says to have") {
  writer to;
  to.count(std::uint64_t{1} << 60);
  to.put(std::string(100, '\1').data(), 100);
  const io::bytes many = to.take();
  reader lots(many.span());
  CHECK_THROWS_AS(decode<std::vector<tree>>(lots), malformed);
  const std::vector<std::string> small(1'000);
  const io::bytes bytes = encoded(small);
  reader limited(bytes.span(), {.memory = 1'000 * sizeof(std::string) - 1});
  CHECK_THROWS_WITH(decode<std::vector<std::string>>(limited), Catch::Contains("memory"));
  reader enough(bytes.span(), {.memory = 1'000 * sizeof(std::string)});
  CHECK(decode<std::vector<std::string>>(enough) == small);
}

TEST_CASE("values that lie in each other deeper than they may are refused") {
  tree deep;
  for (int each = 0; each < 100; ++each) deep = tree{each, {deep}};
  const io::bytes bytes = encoded(deep);
  reader from(bytes.span());
  CHECK_THROWS_WITH(decode<tree>(from), Catch::Contains("deeper"));
  reader over(bytes.span());
  CHECK_THROWS_WITH(over.skip(layout::parse("(i4*^0)")), Catch::Contains("deeper"));
}

namespace {

class money {
 public:
  money() = default;
  explicit money(std::int64_t cents) : cents_(cents) {}
  std::int64_t cents() const { return cents_; }

 private:
  std::int64_t cents_ = 0;
};

struct bill {
  money sum;
  std::vector<money> parts;
};

}  // namespace

template <>
struct troupe::cluster::coded<money> {
  using as = std::int64_t;
  static as write(const money& m) { return m.cents(); }
  static money read(as cents) {
    if (cents < 0) throw malformed("money that is less than none");
    return money(cents);
  }
};

TEST_CASE("a type that is no plain struct is written as another that its coded names") {
  CHECK(layout_text<bill>() == "(i8*i8)");
  const bill found = decoded<bill>(encoded(bill{money(5), {money(2), money(3)}}));
  CHECK(found.sum.cents() == 5);
  CHECK(found.parts.at(1).cents() == 3);
  const io::bytes debts = encoded(std::int64_t{-1});
  reader from(debts.span());
  CHECK_THROWS_AS(decode<money>(from), malformed);
}
