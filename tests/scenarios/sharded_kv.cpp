// The example: programs that have the actors of keys are killed and added, and a client checks each answer.
#include <troupe/io/process.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/support.hpp"

#include <string>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("no write is lost that was acknowledged while nodes of a shard are killed and added") {
  auto body = []() -> coro<> {
    io::process_options how;
    how.output = io::stdio::pipe;
    io::process example =
        co_await io::subprocess_exec(TROUPE_EXAMPLES "/sharded_kv", io::args("8"), how);
    auto running = example.communicate();
    const io::communicated said = co_await timeout(120s, std::move(running));
    INFO(said.output.value_or("nothing"));
    CHECK(said.returncode == 0);
    CHECK_THAT(said.output.value_or("nothing"), Catch::Contains(" 0 with what cannot be"));
  };
  run_scenario(body());
}
