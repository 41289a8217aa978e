// Handshakes and sessions with a task that is stopped at every place where it can be stopped.
#include "runtime/brute_force.hpp"
#include "io/tls/support.hpp"
#include "support/catch.hpp"

#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct stage {
  std::string got;
};

void verify(stage& with) { CHECK(std::string("hello\nworld\n").starts_with(with.got)); }

coro<> serve(io::stream plain) {
  try {
    auto accepting = io::accept_tls(std::move(plain), tls::server_context());
    io::stream secure = co_await std::move(accepting);
    while (auto line = co_await secure.next_line()) secure.write(*line, "\n");
    secure.close();
    co_await secure.wait_closed();
  } catch (const std::system_error&) {  // the other is stopped, or this
  }
}

coro<> talk(stage& with) {
  auto two = io::memory_pair(200);
  auto serving = create_task(serve(std::move(two.second)), {.name = "server"});
  auto starting = io::start_tls(std::move(two.first), tls::client_context(), "localhost");
  io::stream secure = co_await std::move(starting);
  for (const char* const word : {"hello\n", "world\n"}) {
    secure.write(word);
    const std::string line = co_await secure.read_line();
    with.got += line;
  }
  secure.write_eof();
  const std::string rest = co_await secure.read_line();
  CHECK(rest.empty());
  secure.close();
  co_await secure.wait_closed();
  co_await serving;
}

void stop_everywhere(const std::string& victim) {
  brute_force_options options;
  options.victim = victim;
  options.may_fail = true;  // a peer that is stopped is a loss
  for_each_cancellation<stage>(talk, verify, options);
  options.for_good = true;
  for_each_cancellation<stage>(talk, verify, options);
  for_each_abandonment<stage>(talk, verify, options);
}

}  // namespace

TEST_CASE("a TLS client may be stopped at any place") { stop_everywhere(""); }
TEST_CASE("a TLS server may be stopped at any place") { stop_everywhere("server"); }
