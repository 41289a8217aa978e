// A server and a client that tries again, on a simulated network that breaks down: a bug is found, shown, and gone once it is mended.
// Run: test_a_server        Prints: the failing run, and how many the mended server has stood
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/io/testing/network.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
namespace io = troupe::io;

/// Numbers by their names. A request is a line such as "7 add apples 2", where 7 is its own number; the answer is the sum.
class store {
 public:
  explicit store(bool mended) : mended_(mended) {}

  std::string answer(std::string_view line) {
    std::istringstream words{std::string(line)};
    std::string request, verb, key;
    int count = 0;
    words >> request >> verb >> key >> count;
    // Without this, what comes again because its answer was lost is done again.
    if (const auto known = done_.find(request); mended_ && known != done_.end())
      return known->second;
    if (verb == "add") counts_[key] += count;
    return done_[request] = std::to_string(counts_[key]);
  }

 private:
  bool mended_;
  std::map<std::string, int> counts_;
  std::map<std::string, std::string> done_;
};

troupe::coro<> serve(store& data, io::stream client) {
  while (auto line = co_await client.next_line()) {
    client.write(data.answer(*line), "\n");
    co_await client.drain();
  }
}

/// Asks the store, again and again if it has to.
class shopper {
 public:
  troupe::coro<std::string> ask(std::string what) {
    const std::string request = std::to_string(++requests_) + " " + what + "\n";
    for (int attempt = 0; attempt < 10; ++attempt) {
      try {
        const std::string answer = co_await troupe::timeout(2s, ask_once(request));
        if (answer.ends_with('\n')) co_return answer.substr(0, answer.size() - 1);
      } catch (const std::system_error&) {  // refused, or reset
      } catch (const troupe::timeout_error&) {
      }
      co_await troupe::sleep(1s);
    }
    throw std::runtime_error("the store cannot be reached");
  }

 private:
  static troupe::coro<std::string> ask_once(std::string request) {
    io::stream store = co_await io::open_connection("store.example", 7000);
    store.write(request);
    co_return co_await store.read_line();
  }
  int requests_ = 0;
};

// [scenario]
using namespace troupe::testing;

/// At some moment the line is down for five seconds.
troupe::coro<> storm(simulation& world, network& net) {
  co_await troupe::sleep(1ms * world.choose(20));
  net.partition("127.0.0.1", "127.0.0.2");
  co_await troupe::sleep(5s);
  net.heal();
}

troupe::coro<> shopping(simulation& world, bool mended) {
  network net(world, {.link = {.latency = 1ms}});
  net.name("store.example", {"127.0.0.2"});
  store data(mended);
  io::server serving =
      io::start_server([&](io::stream client) { return serve(data, std::move(client)); },
                       io::endpoint("127.0.0.2", 7000));
  auto weather = troupe::create_task(storm(world, net));
  shopper ann;
  co_await ann.ask("add apples 2");
  co_await ann.ask("add apples 3");
  const std::string apples = co_await ann.ask("look apples");
  co_await weather;
  co_await serving.shutdown(10s);
  if (apples != "5") throw std::runtime_error("2 and 3 apples are " + apples);
}

int main() {
  try {
    explore({}, [](simulation& world) { return shopping(world, false); });
    std::puts("the bug was not found");
    return 1;
  } catch (const schedule_failed& found) {
    std::puts(found.what());
    std::filesystem::remove(found.about().file);
  }
  const auto stood = explore({}, [](simulation& world) { return shopping(world, true); });
  std::printf("mended: %zu schedules, %llu steps, nothing found\n", stood.schedules,
              static_cast<unsigned long long>(stood.steps));
  return 0;
}
// [/scenario]
