// All examples, one after the other, in one process; the echo server meets a thousand real client connections.
// Run: tour        Prints: a heading for each example, then what it prints
#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

// The build puts each example into a namespace of its own and gives its `main` a name.
int hello_main(int argc, char** argv);
int gather_main(int argc, char** argv);
int group_main(int argc, char** argv);
int workers_main(int argc, char** argv);
int bank_main(int argc, char** argv);
int state_machine_main(int argc, char** argv);
int supervised_workers_main(int argc, char** argv);
int dining_philosophers_main(int argc, char** argv);
int pipeline_main(int argc, char** argv);
int scraper_main(int argc, char** argv);
int chat_main(int argc, char** argv);
int frames_main(int argc, char** argv);
int log_tail_main(int argc, char** argv);
int echo_stream_main(int argc, char** argv);
int tcp_proxy_main(int argc, char** argv);
int shell_pipeline_main(int argc, char** argv);
int run_commands_main(int argc, char** argv);
int job_server_main(int argc, char** argv);
int udp_ping_main(int argc, char** argv);
int test_a_protocol_main(int argc, char** argv);
int test_with_time_main(int argc, char** argv);
int test_with_a_model_main(int argc, char** argv);
int test_a_server_main(int argc, char** argv);
int two_nodes_main(int argc, char** argv);
int cluster_chat_main(int argc, char** argv);
int replicated_counter_main(int argc, char** argv);
int word_count_main(int argc, char** argv);
int sharded_kv_main(int argc, char** argv);
#ifdef TOUR_HAS_TLS
int fetch_url_main(int argc, char** argv);
#endif
#ifdef TOUR_HAS_CAF
int caf_calculator_main(int argc, char** argv);
#endif
namespace echo_server_example {
void start_server(troupe::io::listening_socket listening);
}
namespace echo_clients_example {
troupe::coro<int> run_clients(troupe::io::endpoint server);
}

namespace {

/// The server and its clients, on one loop.
troupe::coro<int> echo_round() {
  troupe::io::listening_socket listening(troupe::io::endpoint::loopback(0));
  const troupe::io::endpoint where = listening.local();
  echo_server_example::start_server(std::move(listening));
  co_return co_await echo_clients_example::run_clients(where);
}

int echo_main(int, char**) { return troupe::run(echo_round()); }

struct chapter {
  const char* name;
  const char* idea;
  int (*run)(int argc, char** argv);
};

}  // namespace

int main(int argc, char** argv) {
  // Some of its chapters start this program once more, with their names.
  const std::string_view again = argc > 1 ? argv[1] : "";
  if (again == "two_nodes") return two_nodes_main(argc, argv);
  if (again == "cluster_chat") return cluster_chat_main(argc, argv);
  if (again == "replicated_counter") return replicated_counter_main(argc, argv);
  if (again == "word_count") return word_count_main(argc, argv);
  if (again == "sharded_kv") return sharded_kv_main(argc, argv);
  static const chapter chapters[] = {
      {"hello", "an actor is told and asked", &hello_main},
      {"gather", "three tasks at the same time", &gather_main},
      {"group", "two tasks under one time limit", &group_main},
      {"workers", "a bounded queue, and work on threads", &workers_main},
      {"bank", "a rejection is an answer, a crash stays where it is", &bank_main},
      {"state_machine", "an actor whose state decides what a message does", &state_machine_main},
      {"supervised_workers", "what crashes is started again, up to a limit",
       &supervised_workers_main},
      {"dining_philosophers", "a deadlock is said at once, and avoided", &dining_philosophers_main},
      {"pipeline", "the slowest stage sets the pace of all", &pipeline_main},
      {"scraper", "a pool: so much at a time and no more", &scraper_main},
      {"chat", "rooms and connections are actors, who does not read is dropped", &chat_main},
      {"shell_pipeline", "programs joined by pipes", &shell_pipeline_main},
      {"run_commands", "many child processes, so many at a time", &run_commands_main},
      {"frames", "messages instead of bytes, for an actor and for a coroutine", &frames_main},
      {"udp_ping", "datagrams, and what to do when one is lost", &udp_ping_main},
      {"log_tail", "a file is followed over its rotation, with signals as messages",
       &log_tail_main},
#ifdef TOUR_HAS_TLS
      {"fetch_url", "HTTP and TLS over streams", &fetch_url_main},
#endif
      {"echo_server, echo_clients", "actors and real sockets", &echo_main},
      {"echo_stream", "the same as coroutines over streams", &echo_stream_main},
      {"job_server", "a server that ends well, at a signal", &job_server_main},
      {"test_a_protocol", "a bug that few orders show is found, simplified and drawn",
       &test_a_protocol_main},
      {"test_with_time", "tests of what takes hours, in no time", &test_with_time_main},
      {"test_with_a_model", "random commands find what goes wrong for two clients at once",
       &test_with_a_model_main},
      {"test_a_server", "the same on a network that is simulated, and breaks down",
       &test_a_server_main},
      {"two_nodes", "a second program, killed and started again", &two_nodes_main},
      {"word_count", "many count, some are killed, nothing is counted twice", &word_count_main},
      {"cluster_chat", "rooms are topics of the cluster, members come and go", &cluster_chat_main},
      {"replicated_counter", "what is counted on both sides of a cut is the same in the end",
       &replicated_counter_main},
      {"sharded_kv", "actors by their keys, on programs that are killed and added",
       &sharded_kv_main},
#ifdef TOUR_HAS_CAF
      {"caf_calculator", "actors of CAF on the same loop, and both kinds among each other",
       &caf_calculator_main},
#endif
      {"tcp_proxy", "bytes both ways, at the pace of the slower side", &tcp_proxy_main},
  };
  int failed = 0;
  for (const chapter& each : chapters) {
    std::printf("\n== %s: %s ==\n", each.name, each.idea);
    std::fflush(stdout);
    std::string name = each.name;
    char* arguments[] = {name.data(), nullptr};
    failed += each.run(1, arguments) == 0 ? 0 : 1;
    std::fflush(stdout);
  }
  std::printf("\n%s\n", failed == 0 ? "The tour is over; all went well."
                                    : "The tour is over; something went wrong.");
  return failed == 0 ? 0 : 1;
}
