/* The load of the echo cases: so many connections from one thread, each with one request in flight.
 *
 *   echo_load PORT CONNECTIONS PAYLOAD SECONDS
 *
 * prints "RATE TOTAL": requests per second over the measured time, and all requests that were
 * answered, those before it included, so that a server's CPU can be divided by them. The first
 * answer on each connection is compared byte by byte. Exits with 1 when the server drops a
 * connection, answers wrongly or falls silent. */
#include "echo_load.h"

struct connection {
  int descriptor;
  int waits_for_room;
  size_t sent;
  size_t received;
};

struct load {
  int epoll;
  size_t payload;
  char* request;
  long answers;
};

static void send_request(struct load* load, struct connection* connection) {
  while (connection->sent < load->payload) {
    ssize_t size = send(connection->descriptor, load->request + connection->sent,
                        load->payload - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size < 0) fail("send");
    connection->sent += (size_t)size;
  }
  int waits = connection->sent < load->payload;
  if (waits != connection->waits_for_room) {
    watch(load->epoll, EPOLL_CTL_MOD, connection->descriptor, connection,
          waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    connection->waits_for_room = waits;
  }
}

static void receive_answer(struct load* load, struct connection* connection) {
  connection->received += receive(connection->descriptor, load->payload - connection->received);
  if (connection->received < load->payload) return;
  ++load->answers;
  connection->sent = connection->received = 0;
  send_request(load, connection);
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
  struct asked asked = asked_for(argc, argv);

  struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC), .payload = asked.payload};
  if (load.epoll < 0) fail("epoll_create1");
  load.request = made_request(load.payload);
  char* answer = made_request(load.payload);
  struct connection* all = made_array((size_t)asked.connections, sizeof *all);

  for (int i = 0; i < asked.connections; ++i) {
    all[i].descriptor = connected_to(asked.port, load.request, answer, load.payload);
    watch(load.epoll, EPOLL_CTL_ADD, all[i].descriptor, &all[i], EPOLLIN);
  }
  for (int i = 0; i < asked.connections; ++i) send_request(&load, &all[i]);
  double start = drive(&load, now() + warm_up);
  long before = load.answers;
  double end = drive(&load, start + asked.seconds);
  printf("%.1f %ld\n", (double)(load.answers - before) / (end - start),
         load.answers + asked.connections);
  return 0;
}
