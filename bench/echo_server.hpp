// The command line of an echo server: `PROGRAM echo --port N` listens on the loopback, prints
// `port N` and serves until SIGTERM, which ends it the default way.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench::echo {

// What a server reads at once: the larger of the two payloads.
inline constexpr std::size_t buffer_size = 16384;

// The port to listen on (0: any), or -1 when the command line does not ask for a server.
inline int wanted_port(int argc, char** argv) {
  if (argc != 4 || std::strcmp(argv[1], "echo") != 0 || std::strcmp(argv[2], "--port") != 0) {
    return -1;
  }
  return std::atoi(argv[3]);
}

inline void announce(int port) {
  std::printf("port %d\n", port);
  std::fflush(stdout);
}

// The table a program prints for --list when it is an echo server only.
inline void list(const char* impl) { std::printf("echo64 %s 1\necho16k %s 1\n", impl, impl); }

// Likewise of one that speaks TLS.
inline void list_tls(const char* impl) { std::printf("tls16k %s 1\n", impl); }

}  // namespace bench::echo
