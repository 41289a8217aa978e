// Names on the simulated network.
#include <troupe/io/resolve.hpp>
#include <troupe/runtime/errors.hpp>

#include "io/testing/support.hpp"

#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::networks;

TEST_CASE("a program connects by names that the test has given") {
  naturally([](network& net) -> coro<> {
    net.name("db.example", {"127.0.0.5", "127.0.0.2"});
    io::server serving = io::start_server(echo, io::endpoint("127.0.0.2", 7));
    // The first refuses, so the second is tried.
    io::stream client = co_await io::open_connection("db.example", 7);
    const std::string heard = co_await ask(client, "hello");
    CHECK(heard == "hello\n");
    CHECK(client.peer_name() == "127.0.0.2:7");
  });
}

TEST_CASE("names are resolved as the test says, and take the time it says") {
  naturally(
      [](network& net) -> coro<> {
        net.name("both.example", {"10.0.0.1", "fd00::1"});
        net.name_fails("silent.example", io::resolve_errc::temporary_failure);
        std::vector<io::endpoint> found = co_await io::resolve("both.example", "https");
        REQUIRE(found.size() == 2);
        CHECK(found[0] == io::endpoint("10.0.0.1", 443));
        CHECK(found[1] == io::endpoint("fd00::1", 443));
        CHECK(loop::current()->time().time_since_epoch() == 30ms);
        const io::resolve_options only{io::address_family::ipv6};
        found = co_await io::resolve("both.example", 80, only);
        CHECK(found.size() == 1);
        found = co_await io::resolve("localhost", 80);
        CHECK(found.front() == io::endpoint::loopback(80));
        auto nobody = io::resolve("nobody.example", 80);
        std::error_code error = co_await error_of(std::move(nobody));
        CHECK(error == io::resolve_errc::host_not_found);
        auto silent = io::resolve("silent.example", 80);
        error = co_await error_of(std::move(silent));
        CHECK(error == io::resolve_errc::temporary_failure);
        auto unknown = io::resolve("both.example", "no-such-service");
        error = co_await error_of(std::move(unknown));
        CHECK(error == io::resolve_errc::unknown_service);
        const io::resolve_options v6{io::address_family::ipv6};
        auto wrong_family = io::resolve("localhost", 80, v6);
        error = co_await error_of(std::move(wrong_family));
        CHECK(error == io::resolve_errc::no_address);
      },
      {.name_delay = 30ms});
}
