/* What the loads of the echo cases share: connecting to the loopback, time, and how they end when something is wrong. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { batch = 256, silence_ms = 5000 };
static const double warm_up = 0.2;

static inline void fail(const char* what) {
  perror(what);
  exit(1);
}

static inline void refuse(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline struct sockaddr_in loopback(unsigned host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host)};
  return address;
}

static inline void watch(int epoll, int operation, int descriptor, void* whose, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = whose};
  if (epoll_ctl(epoll, operation, descriptor, &event) != 0) fail("epoll_ctl");
}

/* Bytes that show when they are out of order. */
static inline char* made_request(size_t size) {
  char* request = malloc(size);
  if (request == NULL) fail("malloc");
  for (size_t i = 0; i < size; ++i) request[i] = (char)(i * 31 + 7);
  return request;
}

static inline void* made_array(size_t count, size_t size) {
  void* array = calloc(count, size);
  if (array == NULL) fail("calloc");
  return array;
}

/* What has come of an answer, at most `left`; 0 when nothing has yet. It is thrown away uncopied, which leaves more of the load's
 * processor to load; that answers are right is seen when a connection is made. */
static inline size_t receive(int descriptor, size_t left) {
  ssize_t size = recv(descriptor, NULL, left, MSG_DONTWAIT | MSG_TRUNC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (size < 0) fail("recv");
  if (size == 0) refuse("the server closed a connection");
  return (size_t)size;
}

/* Sends one request, waits for its answer and compares it byte by byte. */
static inline void ask_once(int descriptor, const char* request, char* answer, size_t payload) {
  size_t sent = 0;
  size_t received = 0;
  while (received < payload) {
    if (sent < payload) {
      ssize_t size = send(descriptor, request + sent, payload - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size < 0 && errno != EAGAIN && errno != EINTR) fail("send");
      if (size > 0) sent += (size_t)size;
    }
    ssize_t size = recv(descriptor, answer + received, payload - received, 0);
    if (size < 0 && errno == EAGAIN) refuse("a connection was never answered");
    if (size < 0 && errno != EINTR) fail("recv");
    if (size == 0) refuse("the server closed a connection");
    if (size > 0) received += (size_t)size;
  }
  if (memcmp(answer, request, payload) != 0) refuse("the answer is not the request");
}

/* A connection that sends small requests at once. */
static inline int newly_connected_to(int port) {
  struct sockaddr_in address = loopback(1, port);
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  if (connect(descriptor, (struct sockaddr*)&address, sizeof address) != 0) fail("connect");
  int yes = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return descriptor;
}

/* One that has had its first answer: from then on the server knows it, however it accepts. */
static inline int connected_to(int port, const char* request, char* answer, size_t payload) {
  int descriptor = newly_connected_to(port);
  struct timeval limit = {.tv_sec = silence_ms / 1000};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ask_once(descriptor, request, answer, payload);
  return descriptor;
}

/* What the load is told on its command line. */
struct asked {
  int port;
  int connections;
  size_t payload;
  double seconds;
};
static inline struct asked asked_for(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s PORT CONNECTIONS PAYLOAD SECONDS\n", argv[0]);
    exit(2);
  }
  int payload = atoi(argv[3]);
  struct asked asked = {.port = atoi(argv[1]),
                        .connections = atoi(argv[2]),
                        .payload = (size_t)payload,
                        .seconds = atof(argv[4])};
  if (asked.connections < 1 || payload < 1 || asked.seconds <= 0)
    refuse("arguments have to be positive");
  return asked;
}
