/* The load of the echo cases: so many connections from one thread, each with one request in flight.
 *
 *   echo_load PORT CONNECTIONS PAYLOAD SECONDS
 *
 * prints "RATE TOTAL": requests per second over the measured time, and all requests that were
 * answered, those of the warm-up included, so that a server's CPU can be divided by them. The first
 * answer on each connection is compared byte by byte. Exits with 1 when the server drops a
 * connection, answers wrongly or falls silent. */
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

enum { batch = 64, silence_ms = 5000 };
static const double warm_up = 0.2;

struct connection {
  int descriptor;
  int waits_for_room;
  size_t sent;
  size_t received;
  long answers;
};

struct load {
  int epoll;
  size_t payload;
  char* request;
  char* answer;
  long answers;
};

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void refuse(const char* what) {
  fprintf(stderr, "echo_load: %s\n", what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void watch(struct load* load, struct connection* connection, int operation,
                  unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(load->epoll, operation, connection->descriptor, &event) != 0) fail("epoll_ctl");
}

static void send_request(struct load* load, struct connection* connection) {
  while (connection->sent < load->payload) {
    ssize_t size = send(connection->descriptor, load->request + connection->sent,
                        load->payload - connection->sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size < 0) fail("send");
    connection->sent += (size_t)size;
  }
  int waits = connection->sent < load->payload;
  if (waits != connection->waits_for_room) {
    watch(load, connection, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    connection->waits_for_room = waits;
  }
}

static void receive_answer(struct load* load, struct connection* connection) {
  ssize_t size =
      recv(connection->descriptor, load->answer, load->payload - connection->received, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size < 0) fail("recv");
  if (size == 0) refuse("the server closed a connection");
  if (connection->answers == 0 &&
      memcmp(load->answer, load->request + connection->received, (size_t)size) != 0) {
    refuse("the answer is not the request");
  }
  connection->received += (size_t)size;
  if (connection->received < load->payload) return;
  ++connection->answers;
  ++load->answers;
  connection->sent = connection->received = 0;
  send_request(load, connection);
}

static void connect_to(struct load* load, struct connection* connection, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  if (connect(descriptor, (struct sockaddr*)&address, sizeof address) != 0) fail("connect");
  int yes = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  connection->descriptor = descriptor;
  watch(load, connection, EPOLL_CTL_ADD, EPOLLIN);
}

/* Keeps every connection busy until `end`; returns the time at which it stopped. */
static double drive(struct load* load, double end) {
  double time = now();
  while (time < end) {
    struct epoll_event events[batch];
    int ready = epoll_wait(load->epoll, events, batch, silence_ms);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    if (ready == 0) refuse("the server has fallen silent");
    for (int i = 0; i < ready; ++i) {
      struct connection* connection = events[i].data.ptr;
      if (connection->waits_for_room) send_request(load, connection);
      if (events[i].events & ~(unsigned)EPOLLOUT) receive_answer(load, connection);
    }
    time = now();
  }
  return time;
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s PORT CONNECTIONS PAYLOAD SECONDS\n", argv[0]);
    return 2;
  }
  int connections = atoi(argv[2]);
  int payload = atoi(argv[3]);
  double seconds = atof(argv[4]);
  if (connections < 1 || payload < 1 || seconds <= 0) refuse("arguments have to be positive");

  struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC), .payload = (size_t)payload};
  if (load.epoll < 0) fail("epoll_create1");
  load.request = malloc(load.payload);
  load.answer = malloc(load.payload);
  struct connection* all = calloc((size_t)connections, sizeof *all);
  if (load.request == NULL || load.answer == NULL || all == NULL) fail("malloc");
  for (int i = 0; i < payload; ++i) load.request[i] = (char)(i * 31 + 7);

  for (int i = 0; i < connections; ++i) connect_to(&load, &all[i], atoi(argv[1]));
  for (int i = 0; i < connections; ++i) send_request(&load, &all[i]);
  double start = drive(&load, now() + warm_up);
  long before = load.answers;
  double end = drive(&load, start + seconds);
  for (int i = 0; i < connections; ++i) {
    if (all[i].answers == 0) refuse("a connection was never answered");
  }
  printf("%.1f %ld\n", (double)(load.answers - before) / (end - start), load.answers);
  return 0;
}
