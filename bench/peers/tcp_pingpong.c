// Bare TCP over the loopback between two processes that wait in epoll: 64 bytes there and back, one after the other. What an ask
// costs the system, for scale.
//
//   tcp_pingpong remote-ask --loops 1 [--seconds S]
//   tcp_pingpong --list
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { payload = 64 };

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int watch(int socket) {
  const int one = 1;
  if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) fail("TCP_NODELAY");
  const int set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event wanted = {.events = EPOLLIN};
  if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, socket, &wanted) != 0) fail("epoll");
  return set;
}

// Waits for a whole message. 0 when the other end has gone.
static int take(int set, int socket, char* into) {
  size_t have = 0;
  while (have < payload) {
    struct epoll_event ready;
    if (epoll_wait(set, &ready, 1, -1) != 1) fail("epoll_wait");
    const ssize_t got = read(socket, into + have, payload - have);
    if (got < 0) fail("read");
    if (got == 0) return 0;
    have += (size_t)got;
  }
  return 1;
}

static void put(int socket, const char* from) {
  if (write(socket, from, payload) != payload) fail("write");
}

static void serve(int listening) {
  const int socket = accept(listening, NULL, NULL);
  if (socket < 0) fail("accept");
  const int set = watch(socket);
  char message[payload];
  while (take(set, socket, message)) put(socket, message);
  exit(0);
}

static double processor_time(int whose) {
  struct rusage used;
  if (getrusage(whose, &used) != 0) fail("getrusage");
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e9 +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3;
}

static void measure(double seconds) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof where;
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening < 0 || bind(listening, (struct sockaddr*)&where, sizeof where) != 0 ||
      listen(listening, 1) != 0 || getsockname(listening, (struct sockaddr*)&where, &size) != 0)
    fail("listen");
  const pid_t other = fork();
  if (other < 0) fail("fork");
  if (other == 0) serve(listening);
  const int wire = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (wire < 0 || connect(wire, (struct sockaddr*)&where, sizeof where) != 0) fail("connect");
  const int set = watch(wire);
  char message[payload] = {0};
  long done = 0;
  long in_all = 0;
  double begin = now();
  const double warm = begin + seconds / 4;
  int measuring = 0;
  for (double at = begin; !measuring || at < begin + seconds; at = now()) {
    if (!measuring && at >= warm) {
      measuring = 1;
      begin = at;
      done = 0;
    }
    for (int each = 0; each != 64; ++each, ++done, ++in_all) {
      put(wire, message);
      if (!take(set, wire, message)) fail("the other end");
    }
  }
  const double took = now() - begin;
  close(wire);
  if (waitpid(other, NULL, 0) != other) fail("waitpid");
  printf("remote-ask epoll-c 1 ns %.2f\n", took / (double)done * 1e9);
  printf("remote-ask-cpu epoll-c 1 ns %.2f\n",
         (processor_time(RUSAGE_SELF) + processor_time(RUSAGE_CHILDREN)) / (double)in_all);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    puts("remote-ask epoll-c 1");
    return 0;
  }
  double seconds = 0.3;
  for (int i = 2; i + 1 < argc; i += 2)
    if (strcmp(argv[i], "--seconds") == 0) seconds = atof(argv[i + 1]);
  if (argc < 2 || strcmp(argv[1], "remote-ask") != 0 || seconds <= 0) {
    fprintf(stderr, "usage: %s remote-ask --loops 1 [--seconds S]\n", argv[0]);
    return 2;
  }
  measure(seconds);
  return 0;
}
