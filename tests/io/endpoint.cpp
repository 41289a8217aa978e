#include <troupe/io/endpoint.hpp>

#include "support/catch.hpp"

#include <string>
#include <string_view>

using troupe::io::bad_address;
using troupe::io::endpoint;

namespace {

/// What `parse` says about `text`, or "" when it takes it.
std::string complaint(std::string_view text) {
  try {
    endpoint::parse(text);
    return "";
  } catch (const bad_address& error) {
    return error.what();
  }
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an IPv4 address and port are parsed") {
  const endpoint parsed = endpoint::parse("192.0.2.17:8080");
  CHECK_FALSE(parsed.is_ipv6());
  CHECK(parsed.address() == "192.0.2.17");
  CHECK(parsed.port() == 8080);
  CHECK(parsed.raw()[0] == 192);
  CHECK(parsed.raw()[3] == 17);
}

TEST_CASE("an IPv6 address in brackets and port are parsed") {
  const endpoint parsed = endpoint::parse("[2001:db8::1]:443");
  CHECK(parsed.is_ipv6());
  CHECK(parsed.address() == "2001:db8::1");
  CHECK(parsed.port() == 443);
  CHECK(parsed.raw()[0] == 0x20);
  CHECK(parsed.raw()[15] == 1);
}

TEST_CASE("an endpoint's text is parsed to the same endpoint") {
  for (const char* text : {"0.0.0.0:0", "127.0.0.1:1", "255.255.255.255:65535", "[::]:0",
                           "[::1]:8080", "[::ffff:127.0.0.1]:80", "[fe80::1%lo]:80"}) {
    CHECK(endpoint::parse(text).text() == text);
    CHECK(endpoint::parse(endpoint::parse(text).text()) == endpoint::parse(text));
  }
}

TEST_CASE("an address in another spelling gets the usual one") {
  CHECK(endpoint::parse("[0:0:0:0:0:0:0:1]:080").text() == "[::1]:80");
}

TEST_CASE("the default endpoint is every address and no port") {
  CHECK(endpoint().text() == "0.0.0.0:0");
}

TEST_CASE("the loopback endpoint is 127.0.0.1") {
  CHECK(endpoint::loopback(80) == endpoint("127.0.0.1", 80));
}

TEST_CASE("endpoints differ by address, port and family") {
  const endpoint one("127.0.0.1", 80);
  CHECK(one == endpoint("127.0.0.1", 80));
  CHECK(one != endpoint("127.0.0.2", 80));
  CHECK(one != endpoint("127.0.0.1", 81));
  CHECK(endpoint("::", 0) != endpoint("0.0.0.0", 0));
}

TEST_CASE("a link-local address carries its interface") {
  const endpoint parsed("fe80::1%lo", 80);
  CHECK(parsed.scope() != 0);
  CHECK(parsed.address() == "fe80::1%lo");
  CHECK(parsed != endpoint("fe80::1", 80));
}

TEST_CASE("an endpoint made of raw bytes reads as its text") {
  const std::uint8_t four[] = {10, 0, 0, 1};
  CHECK(endpoint::from_raw(four, false, 5, 0).text() == "10.0.0.1:5");
  const std::uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  CHECK(endpoint::from_raw(six, true, 6, 0).text() == "[2001:db8::2]:6");
}

TEST_CASE("a text without a port is refused, and told how to write one") {
  CHECK(complaint("127.0.0.1") ==
        "'127.0.0.1' has no port: write ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080");
  CHECK(contains(complaint(""), "'' has no port"));
}

TEST_CASE("a port that is no number, or too large, is refused") {
  for (const char* text : {"127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536",
                           "127.0.0.1:99999999999999999999", "127.0.0.1:-1", "127.0.0.1:+1",
                           "127.0.0.1: 80", "127.0.0.1:80 ", "127.0.0.1:8x", "[::1]", "[::1]:"}) {
    CHECK(complaint(text) ==
          "'" + std::string(text) + "' ends in no port number between 0 and 65535");
  }
}

TEST_CASE("an IPv6 address without brackets is refused as ambiguous") {
  CHECK(complaint("::1:8080") ==
        "'::1:8080' is ambiguous: put an IPv6 address in brackets, such as [::1]:8080");
}

TEST_CASE("a name or a malformed address is refused, and names are said not to be looked up") {
  for (const char* address : {"localhost", "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "127.0.0.1 ",
                              " 127.0.0.1", "0x7f.1", "[::1", "::1]", "127.0.0.1%lo"}) {
    const std::string text = std::string(address) + ":80";
    if (std::string_view(address).find(':') != std::string_view::npos) {
      CHECK(contains(complaint(text), "'" + text + "' is ambiguous"));
    } else {
      CHECK(complaint(text) == "'" + std::string(address) +
                                   "' is no IPv4 or IPv6 address (names are not looked up here)");
    }
  }
}

TEST_CASE("brackets without an IPv6 address in them are refused") {
  CHECK(complaint("[127.0.0.1]:80") ==
        "'[127.0.0.1]:80' has brackets, but no IPv6 address in them");
  CHECK(contains(complaint("[]:80"), "'' is no IPv4 or IPv6 address"));
  CHECK(contains(complaint("[:::]:80"), "':::' is no IPv4 or IPv6 address"));
}

TEST_CASE("an interface that does not exist is named in the refusal") {
  CHECK(complaint("[fe80::1%nowhere]:80") == "no network interface is called 'nowhere'");
}

TEST_CASE("an address with a zero byte in it is refused") {
  using namespace std::string_view_literals;
  CHECK_FALSE(complaint("127.0.0.1\0.evil:80"sv).empty());
  CHECK_FALSE(complaint("[::1\0evil]:80"sv).empty());
  CHECK_FALSE(complaint("[fe80::1%lo\0evil]:80"sv).empty());
}

TEST_CASE("an address given to the constructor has no brackets") {
  CHECK_THROWS_AS(endpoint("[::1]", 80), bad_address);
  CHECK_THROWS_AS(endpoint("", 80), bad_address);
}

TEST_CASE("a bad address can be caught as a std::invalid_argument") {
  CHECK_THROWS_AS(endpoint::parse("nonsense"), std::invalid_argument);
}

TEST_CASE("only what this machine alone can reach is the loopback") {
  CHECK(endpoint("127.0.0.1", 1).is_loopback());
  CHECK(endpoint("127.9.8.7", 1).is_loopback());
  CHECK(endpoint("::1", 1).is_loopback());
  CHECK_FALSE(endpoint("128.0.0.1", 1).is_loopback());
  CHECK_FALSE(endpoint("0.0.0.0", 1).is_loopback());
  CHECK_FALSE(endpoint("::", 1).is_loopback());
  CHECK_FALSE(endpoint("::2", 1).is_loopback());
  CHECK_FALSE(endpoint("7f00::1", 1).is_loopback());
}
