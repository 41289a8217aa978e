// Names of message types, which have to be the same whoever has compiled them.
#include <troupe/actors/cluster/spelling.hpp>
#include <troupe/actors/type_name.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <string>
#include <vector>

using troupe::cluster::internal::spelled_alike;

namespace {
template <class... Ts>
struct box {};
struct hidden {};
struct long_int {};
}  // namespace

TEST_CASE("a type has one name, as g++ and as clang print it") {
  // As they are printed by g++ 12, and by clang 19 with either standard library.
  const std::pair<const char*, const char*> all[] = {
      {"a::box<a::box<a::order> >", "a::box<a::box<a::order>>"},
      {"a::box<{anonymous}::hidden>", "a::box<(anonymous namespace)::hidden>"},
      {"a::w<std::__cxx11::basic_string<char>, int>", "a::w<std::basic_string<char>, int>"},
      {"a::w<std::__1::basic_string<char>, int>", "a::w<std::basic_string<char>, int>"},
      {"box<long int, long unsigned int, long long int, long long unsigned int>",
       "box<long, unsigned long, long long, unsigned long long>"},
      {"box<short int, short unsigned int, unsigned int>",
       "box<short, unsigned short, unsigned int>"},
      {"box<std::map<int, std::vector<long int, std::allocator<long int> >, std::less<int>, "
       "std::allocator<std::pair<const int, std::vector<long int> > > >, char>",
       "box<std::map<int, std::vector<long>>, char>"},
      {"box<const char*, const char&>", "box<const char *, const char &>"},
  };
  for (const auto& [one, other] : all) CHECK(spelled_alike(one) == spelled_alike(other));
}

TEST_CASE("what this compiler prints is spelled as every compiler's") {
  using troupe::type_name;
  CHECK(spelled_alike(type_name<box<box<hidden>, std::string>>()) ==
        "(anonymous namespace)::box<(anonymous namespace)::box<(anonymous namespace)::hidden>, "
        "std::basic_string<char>>");
  CHECK(spelled_alike(type_name<box<std::int64_t, std::uint64_t, short, const char*>>()) ==
        "(anonymous namespace)::box<long, unsigned long, short, const char*>");
  CHECK(spelled_alike(type_name<box<long_int>>()) ==
        "(anonymous namespace)::box<(anonymous namespace)::long_int>");
  CHECK(spelled_alike("my_long int_x") == "my_long int_x");
}
