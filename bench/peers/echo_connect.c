/* The load of the case `connect`: connections that come, send one request, get the answer and go.
 *
 *   echo_connect PORT CONNECTIONS PAYLOAD SECONDS
 *
 * keeps so many under way and prints "RATE TOTAL": how many per second over the measured time, and how many in all, those of the
 * warm-up included. The load closes first, so the ports it used rest for a minute: each connection comes from another address of the
 * loopback, for there are not enough of them at one. Exits with 1 as echo_load does. */
#include "echo_load.h"

enum { addresses = 250 };

struct visit {
  int descriptor;
  int sent;
  size_t received;
};

struct load {
  int epoll;
  int port;
  unsigned number;
  size_t payload;
  char* request;
  long done;
};

/* The request is smaller than any socket's buffer: it leaves whole, or not yet. */
static void send_request(struct load* load, struct visit* visit) {
  ssize_t size = send(visit->descriptor, load->request, load->payload, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size == (ssize_t)load->payload) visit->sent = 1;
  if (size < 0 && errno != EAGAIN && errno != EINTR) fail("send");
}

static void begin_visit(struct load* load, struct visit* visit) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) fail("socket");
  int yes = 1;
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  struct sockaddr_in from = loopback(1 + ++load->number % addresses, 0);
  if (bind(descriptor, (struct sockaddr*)&from, sizeof from) != 0) fail("bind");
  struct sockaddr_in to = loopback(1, load->port);
  if (connect(descriptor, (struct sockaddr*)&to, sizeof to) != 0 && errno != EINPROGRESS) {
    fail("connect");
  }
  visit->descriptor = descriptor;
  visit->sent = 0;
  visit->received = 0;
  send_request(load, visit);
  watch(load->epoll, EPOLL_CTL_ADD, descriptor, visit, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void go_on(struct load* load, struct visit* visit) {
  if (!visit->sent) send_request(load, visit);
  visit->received += receive(visit->descriptor, load->payload - visit->received);
  if (visit->received < load->payload) return;
  close(visit->descriptor);
  ++load->done;
  begin_visit(load, visit);
}

/* Keeps visitors coming until `end`; returns the time at which it stopped. */
static double drive(struct load* load, double end) {
  double time = now();
  while (time < end) {
    struct epoll_event events[batch];
    int ready = epoll_wait(load->epoll, events, batch, silence_ms);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    if (ready == 0) refuse("the server has fallen silent");
    for (int i = 0; i < ready; ++i) go_on(load, events[i].data.ptr);
    time = now();
  }
  return time;
}

int main(int argc, char** argv) {
  struct asked asked = asked_for(argc, argv);
  struct load load = {
      .epoll = epoll_create1(EPOLL_CLOEXEC), .port = asked.port, .payload = asked.payload};
  if (load.epoll < 0) fail("epoll_create1");
  load.request = made_request(load.payload);
  struct visit* all = made_array((size_t)asked.connections, sizeof *all);
  for (int i = 0; i < asked.connections; ++i) begin_visit(&load, &all[i]);
  double start = drive(&load, now() + warm_up);
  long before = load.done;
  double end = drive(&load, start + asked.seconds);
  printf("%.1f %ld\n", (double)(load.done - before) / (end - start), load.done);
  return 0;
}
