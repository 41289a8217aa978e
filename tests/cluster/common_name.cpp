// The names of types, as g++ and clang print them.
#include <troupe/actors/cluster/common_name.hpp>
#include <troupe/actors/type_name.hpp>

#include "support/catch.hpp"

#include <map>
#include <string>
#include <vector>

using troupe::cluster::internal::common_name;

TEST_CASE("the name of a type is the same whatever has compiled it") {
  const char* const all[][3] = {
      {"keyed<std::__cxx11::basic_string<char>, {anonymous}::mine>",
       "keyed<std::basic_string<char>, (anonymous namespace)::mine>",
       "keyed<std::basic_string<char>, (anonymous namespace)::mine>"},
      {"wrap<long int, long unsigned int, short int, short unsigned int, long long int, "
       "long long unsigned int, unsigned int>",
       "wrap<long, unsigned long, short, unsigned short, long long, unsigned long long, unsigned "
       "int>",
       "wrap<long, unsigned long, short, unsigned short, long long, unsigned long long, unsigned "
       "int>"},
      {"std::map<int, std::vector<std::vector<int> > >",
       "std::map<int, std::vector<std::vector<int>>>",
       "std::map<int, std::vector<std::vector<int>>>"},
      {"wrap<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > >",
       "wrap<std::__1::basic_string<char>>", "wrap<std::basic_string<char>>"},
      {"wrap<std::map<int, a<b>, std::less<int>, std::allocator<std::pair<const int, a<b> > > >, "
       "c>",
       "wrap<std::map<int, a<b>>, c>", "wrap<std::map<int, a<b>>, c>"},
      {"wrap<const char*, int&, int(int, long int)>", "wrap<const char *, int &, int (int, long)>",
       "wrap<const char*, int&, int(int, long)>"},
      {"val<3, 'U', <unnamed>::e::b>", "val<3UL, 'U', (anonymous namespace)::e::b>",
       "val<3, 'U', (anonymous namespace)::e::b>"},
      {"mylong int_3U", "mylong int_3U", "mylong int_3U"},
      {"", "", ""},
  };
  for (const auto& [gcc, clang, common] : all) {
    CHECK(common_name(gcc) == common);
    CHECK(common_name(clang) == common);
  }
}

namespace {
template <class... Ts>
struct wrap {};
}  // namespace

TEST_CASE("what this compiler prints becomes that name, too") {
  const auto name = common_name(
      troupe::type_name<wrap<std::string, std::vector<std::map<long, unsigned short>>>>());
  CHECK(name ==
        "(anonymous namespace)::wrap<std::basic_string<char>, std::vector<std::map<long, unsigned "
        "short>>>");
}
