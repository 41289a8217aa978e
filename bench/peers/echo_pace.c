/* The load of the latency cases: requests at moments that do not depend on the answers.
 *
 *   echo_pace PORT CONNECTIONS PAYLOAD SECONDS RATE
 *
 * prints "P50 P99 P999 ANSWERS": microseconds from the moment at which a request was due to the end of its answer. Requests are due
 * at random moments (exponential gaps, always the same), RATE of them per second, on one connection after the other. One that is due
 * while its connection still waits for an answer goes out after that, and its wait counts: a server that stalls is not let off by a
 * load that stalls with it. Exits with 1 as echo_load does, and when the server does not keep up. */
#include "echo_load.h"

#include <math.h>

enum { most_due = 4096 };

struct connection {
  int descriptor;
  size_t sent;
  size_t received;
  long answers;
  double due[most_due]; /* moments of the requests that are not answered, the first one in flight */
  unsigned first;
  unsigned count;
};

struct load {
  int epoll;
  size_t payload;
  char* request;
  float* latencies;
  size_t measured;
  size_t most;
  double from; /* what was due earlier is warm-up */
  unsigned long long seed;
};

static void send_request(struct load* load, struct connection* connection) {
  while (connection->sent < load->payload) {
    ssize_t size = send(connection->descriptor, load->request + connection->sent,
                        load->payload - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return; /* looked at again in each turn */
    if (size < 0) fail("send");
    connection->sent += (size_t)size;
  }
}

static void begin_request(struct load* load, struct connection* connection, double due) {
  if (connection->count == most_due) refuse("the server does not keep up");
  connection->due[(connection->first + connection->count++) % most_due] = due;
  if (connection->count == 1) send_request(load, connection);
}

static void receive_answer(struct load* load, struct connection* connection) {
  if (connection->count == 0) return; /* the first notice of a connection is no answer */
  send_request(load, connection);
  connection->received += receive(connection->descriptor, load->payload - connection->received);
  if (connection->received < load->payload) return;
  double due = connection->due[connection->first];
  if (due >= load->from && load->measured < load->most) {
    load->latencies[load->measured++] = (float)((now() - due) * 1e6);
  }
  connection->first = (connection->first + 1) % most_due;
  --connection->count;
  ++connection->answers;
  connection->sent = connection->received = 0;
  if (connection->count != 0) send_request(load, connection);
}

static double next_gap(struct load* load, double rate) {
  load->seed = load->seed * 6364136223846793005ULL + 1442695040888963407ULL;
  double share = (double)(load->seed >> 11) / 9007199254740992.0;
  return -log(1 - share) / rate;
}

/* Sends and receives until `end`, and a little longer for the last answers; never sleeps, for it has to be on time. */
static void drive(struct load* load, struct connection* all, int connections, double rate,
                  double end) {
  double due = now();
  double time = due;
  double patience = end + silence_ms / 1e3;
  int turn = 0;
  long open = 0;
  while (time < end || open != 0) {
    for (; due <= time && due < end; due += next_gap(load, rate)) {
      begin_request(load, &all[turn++ % connections], due);
      ++open;
    }
    struct epoll_event events[batch];
    int ready = epoll_wait(load->epoll, events, batch, 0);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      struct connection* connection = events[i].data.ptr;
      long before = connection->answers;
      receive_answer(load, connection);
      open -= connection->answers - before;
    }
    if ((time = now()) > patience) refuse("the server has fallen silent");
  }
}

static int by_size(const void* one, const void* other) {
  float a = *(const float*)one;
  float b = *(const float*)other;
  return (a > b) - (a < b);
}

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: %s PORT CONNECTIONS PAYLOAD SECONDS RATE\n", argv[0]);
    return 2;
  }
  int connections = atoi(argv[2]);
  int payload = atoi(argv[3]);
  double seconds = atof(argv[4]);
  double rate = atof(argv[5]);
  if (connections < 1 || payload < 1 || seconds <= 0 || rate <= 0) {
    refuse("arguments have to be positive");
  }
  struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC), .payload = (size_t)payload, .seed = 1};
  if (load.epoll < 0) fail("epoll_create1");
  load.request = made_request(load.payload);
  char* answer = made_request(load.payload);
  load.most = (size_t)(2 * rate * seconds) + 1000;
  load.latencies = made_array(load.most, sizeof *load.latencies);
  struct connection* all = made_array((size_t)connections, sizeof *all);
  for (int i = 0; i < connections; ++i) {
    all[i].descriptor = connected_to(atoi(argv[1]), load.request, answer, load.payload);
    watch(load.epoll, EPOLL_CTL_ADD, all[i].descriptor, &all[i], EPOLLIN | EPOLLOUT | EPOLLET);
  }
  load.from = now() + warm_up;
  drive(&load, all, connections, rate, load.from + seconds);
  if (load.measured < 1000) refuse("too few requests to speak of a thousandth of them");
  qsort(load.latencies, load.measured, sizeof *load.latencies, by_size);
  printf("%.1f %.1f %.1f %zu\n", (double)load.latencies[load.measured / 2],
         (double)load.latencies[load.measured * 99 / 100],
         (double)load.latencies[load.measured * 999 / 1000], load.measured);
  return 0;
}
