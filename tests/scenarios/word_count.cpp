// The example word_count: programs that count, and are killed while they do.
#include "scenarios/programs.hpp"
#include "scenarios/scratch.hpp"
#include "scenarios/support.hpp"

#include <string>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("words are counted right by four workers each of which is killed") {
  auto body = []() -> coro<> {
    real_program counting({TROUPE_EXAMPLES "/word_count"}, real_program::errors::to_output);
    const int status = co_await counting.status();
    INFO(counting.said());
    CHECK(status == 0);
    for (const char* const each : {"1", "2", "3", "4"})
      CHECK(counting.said().find("worker " + std::string(each) + " was killed\n") !=
            std::string::npos);
    CHECK(counting.said().find(" words, all counted right\n") != std::string::npos);
  };
  run_scenario(body());
}

TEST_CASE("a worker that joins by itself counts, and ends with the master") {
  auto body = []() -> coro<> {
    const scratch_folder folder;
    const std::string text = folder.write("text", "to be or not to be\n");
    real_program master({TROUPE_EXAMPLES "/word_count", text, "0"});
    co_await master.until("\n");
    const std::string intro = "the master listens at ";
    REQUIRE(master.said().starts_with(intro));
    const std::string where =
        master.said().substr(intro.size(), master.said().find('\n') - intro.size());
    real_program worker({TROUPE_EXAMPLES "/word_count", "work", where});
    const int counted = co_await master.status();
    CHECK(counted == 0);
    CHECK(master.said().ends_with("\n4 different words, all counted right\n"));
    const int ended = co_await worker.status();
    CHECK(ended == 0);
    CHECK(worker.said() == "joined\n");
  };
  run_scenario(body());
}
