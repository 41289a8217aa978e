// A server that ends well. At SIGTERM or Ctrl-C it accepts nobody any more, lets those go who wait for nothing, and gives the others
// ten seconds for the job they are at; a second signal cuts them off. No child process is left behind in either case.
// Run: job_server                  a client with two jobs; SIGTERM comes amid the second
//      job_server --serve PORT     until SIGTERM or Ctrl-C; each line from a client is a job: how many seconds it takes
// Prints: the jobs, and how it ended.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/process.hpp>
#include <troupe/io/server.hpp>
#include <troupe/troupe.hpp>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace io = troupe::io;
using namespace std::chrono_literals;

// [handler]
/// What the handlers have to know of the end, which a server does not tell them.
struct going_down {
  bool asked = false;
  std::set<io::stream*> idle;  // clients between two jobs

  void ask() {
    asked = true;
    while (!idle.empty()) idle.extract(idle.begin()).value()->close();  // who reads sees the end
  }
};

/// The next job of a client: none when it has said all, or the server goes down.
troupe::coro<std::optional<std::string>> next_job(io::stream& client, going_down& end) {
  if (end.asked) co_return std::nullopt;
  const struct idling {
    going_down& end;
    io::stream* client;
    ~idling() { end.idle.erase(client); }
  } waits{end, &client};
  end.idle.insert(&client);
  co_return co_await client.next_line();
}

/// Serves one connection. The work is a child's; cancelled, this takes the child with it.
troupe::coro<> work(io::stream client, std::shared_ptr<going_down> end) {
  while (auto job = co_await next_job(client, *end)) {
    std::printf("a job of %s s\n", job->c_str());
    std::fflush(stdout);
    io::process child = co_await io::subprocess_exec("sleep", io::args("--", *job));
    const int code = co_await child.wait();
    client.write(code == 0 ? "done\n" : "failed\n");
    co_await client.drain();
  }
}
// [/handler]

io::server start(const io::endpoint& where, std::shared_ptr<going_down> end) {
  return io::start_server([end](io::stream client) { return work(std::move(client), end); }, where);
}

// [ending]
void at_signals(troupe::callable<void()> what) {
  for (const int each : {SIGINT, SIGTERM}) troupe::add_signal_handler(each, what);
}

/// Serves until the first SIGINT or SIGTERM, and ends within ten seconds or at the next.
troupe::coro<int> serve_until_signal(io::server serving, std::shared_ptr<going_down> end) {
  at_signals([] {});  // from here to the last breath no signal ends the process over its children
  co_await troupe::received_signal(SIGINT, SIGTERM);
  std::printf("going down; once more cuts off who still works\n");
  std::fflush(stdout);
  end->ask();
  troupe::task<bool> ending = troupe::create_task(serving.shutdown(10s));
  at_signals([ending] { ending.cancel(); });  // a shutdown that is cancelled ends all at once
  co_await troupe::wait(std::vector<troupe::task<bool>>(1, ending));
  const bool well = !ending.cancelled() && ending.result();
  std::printf("%s\n", well ? "all have gone by themselves" : "some were cut off");
  co_return 0;
}
// [/ending]

troupe::coro<int> serve(std::string port) {
  auto end = std::make_shared<going_down>();
  io::server serving = start(io::endpoint::parse("127.0.0.1:" + port), end);
  std::printf("serving on %s\n", serving.name().c_str());
  std::fflush(stdout);
  co_return co_await serve_until_signal(std::move(serving), end);
}

troupe::coro<int> demonstrate() {
  auto end = std::make_shared<going_down>();
  io::server serving = start(io::endpoint::loopback(0), end);
  const io::endpoint where = serving.local();
  auto ending = troupe::create_task(serve_until_signal(std::move(serving), end));
  io::stream client = co_await io::open_connection(where);
  client.write("0.01\n0.05\n");
  const std::string first = co_await client.read_line();
  std::raise(SIGTERM);
  const io::bytes rest = co_await client.read_all();
  const bool well = first == "done\n" && rest.text() == "done\n";
  std::printf("the second job was %s\n", well ? "finished" : "LOST");
  const int status = co_await ending;
  co_return well ? status : 1;
}

int main(int argc, char** argv) {
  if (argc != 1 && !(argc == 3 && std::strcmp(argv[1], "--serve") == 0)) {
    std::fprintf(stderr, "usage: job_server [--serve PORT]\n");
    return 2;
  }
  return troupe::run_main(argc == 1 ? demonstrate() : serve(argv[2]));
}
