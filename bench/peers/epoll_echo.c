/* TCP echo in plain C: one thread, one level-triggered epoll. What the machine can do; every other
 * echo server is compared with it. Listens on the loopback and serves until SIGTERM. */
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
#include <unistd.h>

enum { buffer_size = 16384, batch = 64 };

/* What has been read and not yet written stays here; while there is any, nothing is read. */
struct connection {
  int descriptor;
  size_t begin;
  size_t end;
  int waits_for_room;
  char buffer[buffer_size];
};

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void watch(int epoll, struct connection* connection, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll, operation, connection->descriptor, &event) != 0) fail("epoll_ctl");
}

static void drop(struct connection* connection) {
  close(connection->descriptor);
  free(connection);
}

/* Returns 0 when the connection is gone. */
static int write_rest(int epoll, struct connection* connection) {
  while (connection->begin < connection->end) {
    ssize_t sent = send(connection->descriptor, connection->buffer + connection->begin,
                        connection->end - connection->begin, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      if (!connection->waits_for_room) watch(epoll, connection, EPOLL_CTL_MOD, EPOLLOUT);
      connection->waits_for_room = 1;
      return 1;
    }
    if (sent < 0) return 0;
    connection->begin += (size_t)sent;
  }
  if (connection->waits_for_room) watch(epoll, connection, EPOLL_CTL_MOD, EPOLLIN);
  connection->waits_for_room = 0;
  return 1;
}

/* Returns 0 when the connection is gone. */
static int serve(int epoll, struct connection* connection) {
  if (connection->waits_for_room) return write_rest(epoll, connection);
  ssize_t size = recv(connection->descriptor, connection->buffer, buffer_size, 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return 0;
  connection->begin = 0;
  connection->end = (size_t)size;
  return write_rest(epoll, connection);
}

static void accept_all(int epoll, int listener) {
  for (;;) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    int yes = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct connection* connection = malloc(sizeof *connection);
    if (connection == NULL) fail("malloc");
    connection->descriptor = descriptor;
    connection->begin = connection->end = 0;
    connection->waits_for_room = 0;
    watch(epoll, connection, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static int listen_on(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) fail("socket");
  int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr*)&address, size) != 0) fail("bind");
  if (listen(listener, 4096) != 0) fail("listen");
  if (getsockname(listener, (struct sockaddr*)&address, &size) != 0) fail("getsockname");
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    puts("echo64 epoll-c 1\necho16k epoll-c 1");
    return 0;
  }
  if (argc != 4 || strcmp(argv[1], "echo") != 0 || strcmp(argv[2], "--port") != 0) {
    fprintf(stderr, "usage: %s echo --port N\n", argv[0]);
    return 2;
  }
  int listener = listen_on(atoi(argv[3]));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  struct epoll_event accepting = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepting) != 0) fail("epoll_ctl");
  for (;;) {
    struct epoll_event events[batch];
    int ready = epoll_wait(epoll, events, batch, -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      struct connection* connection = events[i].data.ptr;
      if (connection == NULL) {
        accept_all(epoll, listener);
      } else if (!serve(epoll, connection)) {
        drop(connection);
      }
    }
  }
}
