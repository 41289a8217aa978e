// Names: what is refused before anybody is asked, and what is made of a resolver's answers. The resolver is the test's, on virtual time.
#include <troupe/io/internal/resolver.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "support/catch.hpp"

#include <netdb.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::io;
using namespace std::string_view_literals;

namespace {

/// What the test's resolver was asked, and what it says.
struct book {
  std::vector<io::internal::name_query> asked;
  io::internal::name_answer answer;
  bool out_of_memory = false;
} pages;

io::internal::name_answer from_book(io::internal::name_query query) {
  pages.asked.push_back(std::move(query));
  if (pages.out_of_memory) throw std::bad_alloc();
  return pages.answer;
}

struct result {
  std::vector<std::string> found;
  std::error_code error;
  std::string text;  ///< of the error
};

coro<result> ask(std::string host, service port, resolve_options options) {
  result got;
  try {
    auto resolving =
        io::internal::resolve_with(&from_book, std::move(host), std::move(port), options);
    const std::vector<endpoint> found = co_await resolving;
    for (const endpoint& each : found) got.found.push_back(each.text());
  } catch (const std::system_error& error) {
    got.error = error.code();
    got.text = error.what();
  } catch (const bad_address& error) {
    got.text = error.what();
  }
  co_return got;
}

result resolved(std::string_view host, service port, io::internal::name_answer answer = {},
                resolve_options options = {}) {
  pages = book{};
  pages.answer = std::move(answer);
  return testing::run(ask(std::string(host), std::move(port), options));
}

io::internal::name_answer addresses(std::vector<endpoint> found) { return {{}, std::move(found)}; }

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("an address in digits is its own result, and nobody is asked") {
  CHECK(resolved("127.0.0.1", 80).found == texts{"127.0.0.1:80"});
  CHECK(pages.asked.empty());
  CHECK(resolved("::1", "80").found == texts{"[::1]:80"});
  CHECK(resolved("fe80::1%lo", 0).found == texts{"[fe80::1%lo]:0"});
  CHECK(pages.asked.empty());
}

TEST_CASE("an address in digits is resolved without a turn of the loop") {
  struct scene {
    static coro<> run() {
      bool others_ran = false;
      loop::current()->call_soon([&others_ran] { others_ran = true; });
      const auto found = co_await resolve("127.0.0.1", 80);
      CHECK(found.size() == 1);
      CHECK_FALSE(others_ran);
      co_await sleep(std::chrono::seconds(0));
      CHECK(others_ran);
    }
  };
  testing::run(scene::run());
}

TEST_CASE("a name gives all its addresses in the resolver's order, each once, with the port") {
  const endpoint first("::1", 0);
  const endpoint second("10.0.0.1", 0);
  const result got = resolved("example.org", 443, addresses({first, second, first}));
  CHECK(got.found == texts{"[::1]:443", "10.0.0.1:443"});
  REQUIRE(pages.asked.size() == 1);
  CHECK(pages.asked[0].host == "example.org");
  CHECK(pages.asked[0].service.empty());
}

TEST_CASE("a scoped address keeps its interface when it gets its port") {
  CHECK(resolved("printer", 9, addresses({endpoint("fe80::1%lo", 0)})).found ==
        texts{"[fe80::1%lo]:9"});
}

TEST_CASE("the name of a service is looked up with the host") {
  const result got = resolved("example.org", "https", addresses({endpoint("10.0.0.1", 443)}));
  CHECK(got.found == texts{"10.0.0.1:443"});
  CHECK(pages.asked.at(0).service == "https");
}

TEST_CASE("the name of a service of an address in digits is looked up alone") {
  const result got =
      resolved("10.0.0.7", "https", addresses({endpoint("127.0.0.1", 443), endpoint("::1", 443)}));
  CHECK(got.found == texts{"10.0.0.7:443"});
  CHECK(pages.asked.at(0).host.empty());
}

TEST_CASE("a wanted family is asked for, and an address of the other has none") {
  resolved("example.org", 1, addresses({endpoint("::1", 0)}), {.family = address_family::ipv6});
  CHECK(pages.asked.at(0).family == address_family::ipv6);
  CHECK(resolved("::1", 1, {}, {.family = address_family::ipv4}).error == resolve_errc::no_address);
  CHECK(resolved("::1", 1, {}, {.family = address_family::ipv6}).found == texts{"[::1]:1"});
  CHECK(resolved("10.0.0.1", 1, {}, {.family = address_family::ipv6}).error ==
        resolve_errc::no_address);
}

TEST_CASE("each failure of a resolver has an error of its own that says the name") {
  const auto text = [](int result) {
    return resolved("nowhere", 80, {io::internal::resolve_error(result, EMFILE), {}}).text;
  };
  CHECK(text(EAI_NONAME) == "looking up 'nowhere': no such host");
  CHECK(text(EAI_FAMILY) == "looking up 'nowhere': the host has no address of the wanted family");
  CHECK(text(EAI_AGAIN) == "looking up 'nowhere': the name servers do not answer; try again later");
  CHECK(text(EAI_FAIL) == "looking up 'nowhere': the name servers cannot answer this");
  CHECK(text(EAI_SERVICE) == "looking up 'nowhere': no port is known for this service");
  CHECK(io::internal::resolve_error(EAI_SYSTEM, EMFILE) == std::errc::too_many_files_open);
  CHECK(io::internal::resolve_error(EAI_MEMORY, 0) == std::errc::not_enough_memory);
  CHECK(io::internal::resolve_error(EAI_BADFLAGS, 0) == resolve_errc::name_server_failure);
  CHECK_FALSE(io::internal::resolve_error(0, EMFILE));
  CHECK(resolved("nowhere", 80).error == resolve_errc::no_address);  // an empty answer
  CHECK(resolved("nowhere", "ftp", {resolve_errc::unknown_service, {}}).text ==
        "looking up 'nowhere' for 'ftp': no port is known for this service");
  CHECK(std::string(resolve_category().name()) == "resolve");
  CHECK(resolve_category().message(99) == "unknown error of a name look-up");
  CHECK(make_error_code(resolve_errc::too_many_lookups).message() ==
        "too many names are being looked up already");
}

TEST_CASE("what a resolver throws comes out of the look-up") {
  struct scene {
    static coro<> run() {
      auto resolving = io::internal::resolve_with(&from_book, "example.org", 1, {});
      CHECK_THROWS_AS(co_await resolving, std::bad_alloc);
    }
  };
  pages = book{};
  pages.out_of_memory = true;
  testing::run(scene::run());
}

TEST_CASE("what can be no name is refused before anybody is asked") {
  const auto complaint = [](std::string_view host) {
    const result got = resolved(host, 80);
    CHECK(got.found.empty());
    CHECK_FALSE(got.error);
    CHECK(pages.asked.empty());
    return got.text;
  };
  CHECK(complaint("") == "an empty host name: say which host is meant");
  CHECK(complaint("good\0evil"sv) == "a host name with a zero byte in it is none");
  CHECK(complaint("127.0.0.1\0x"sv) == "a host name with a zero byte in it is none");
  CHECK(complaint("localhost:80") ==
        "'localhost:80' is no host name: give the port apart from the name");
  CHECK(complaint("::1::") == "'::1::' is no host name: give the port apart from the name");
  for (const char* text :
       {"[::1", "a b", "a/b", "user@host", "line\n", " host", "host%lo", "\x7f"}) {
    CHECK(complaint(text).find("no host name") != std::string::npos);
  }
  CHECK(complaint("a..b") == "'a..b' is no host name: a part of it is empty");
  CHECK(complaint(".") == "'.' is no host name: a part of it is empty");
  CHECK(complaint(".a") == "'.a' is no host name: a part of it is empty");
  CHECK(complaint(std::string(64, 'a')).ends_with("a part of it is longer than 63 characters"));
  std::string long_name;
  for (int part = 0; part < 128; ++part) long_name += "a.";
  CHECK(complaint(long_name + "a") == "a host name of 257 characters is too long: 253 is the most");
  for (const char* text : {"127.1", "0x7f.1", "1", "0x7f000001", "017700000001", "127.0.0.01"}) {
    CHECK(complaint(text) ==
          "'" + std::string(text) + "' is neither a name nor an address of four numbers");
  }
  CHECK(complaint("fe80::1%nowhere") == "no network interface is called 'nowhere'");
}

TEST_CASE("names of every allowed length and form are asked for") {
  std::string longest;
  for (int part = 0; part < 4; ++part) longest += std::string(part == 3 ? 61 : 63, 'x') + ".";
  REQUIRE(longest.size() == 254);  // with the dot that says that it is whole
  for (const std::string& text :
       {longest, std::string("a"), std::string("a."), std::string("_srv.x-y.z0"),
        std::string("b\xc3\xbc"
                    "cher.example"),
        std::string("256.0.0.1.example")}) {
    resolved(text, 80);
    CHECK(pages.asked.size() == 1);
  }
}

TEST_CASE("a port is a number from 0 to 65535 or a name, and nothing else") {
  CHECK(service(65535).number() == 65535);
  CHECK(service("0").number() == 0);
  CHECK(service("http").name() == "http");
  CHECK(service("http").text() == "http");
  CHECK(service(std::string("8080")).text() == "8080");
  CHECK(service("9pfs").name() == "9pfs");
  for (const char* text : {"", "65536", "-1", "+1", "99999999999999999999"})
    CHECK_THROWS_AS(service(text), bad_address);
  CHECK_THROWS_AS(service("80\0"sv), bad_address);
  CHECK_THROWS_AS(service(65536), bad_address);
  CHECK_THROWS_AS(service(-1), bad_address);
  CHECK_THROWS_AS(service(~0ULL), bad_address);
  CHECK_THROWS_WITH(
      service(70000),
      "'70000' is no port: give a number between 0 and 65535, or a name such as \"https\"");
}

TEST_CASE("of too many look-ups at once the further ones are refused") {
  struct scene {
    static coro<> run() {
      constexpr std::size_t most =
          io::internal::lookup_threads + io::internal::most_waiting_lookups;
      std::vector<task<result>> all;
      for (std::size_t index = 0; index < most + 3; ++index)
        all.push_back(create_task(ask("example.org", 1, {})));
      std::size_t refused = 0;
      for (const task<result>& each : all) {
        const result got = co_await each;
        if (got.error == resolve_errc::too_many_lookups) ++refused;
      }
      CHECK(refused == 3);
      const result after = co_await ask("example.org", 1, {});
      CHECK_FALSE(after.error);
    }
  };
  pages = book{};
  pages.answer = addresses({endpoint("10.0.0.1", 0)});
  testing::run(scene::run());
}
