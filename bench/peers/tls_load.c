/* The load of the TLS echo case: as echo_load.c, but over TLS 1.3.
 *
 *   tls_load PORT CONNECTIONS PAYLOAD SECONDS
 *
 * A client of TLS has as much to compute as its server, so an honest one would measure itself. This one decrypts the first answer of each
 * connection, to compare it byte by byte, and from then on only counts: it reads the headers of records and has the system throw away the
 * rest. Requests are encrypted as they should be. A server that sent anything else of the same length would not be found out; that is what
 * the first answer and the tests are for. */
#include "echo_load.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* A TLS 1.3 record: its header, then the data, then a byte for its type and the seal. */
enum { header = 5, trailer = 17 };

struct connection {
  int descriptor;
  SSL* session;
  int waits_for_room;
  size_t sent;
  size_t received; /* of the answer */
  size_t skipping; /* of a record */
  unsigned char head[header];
  size_t in_head;
  long answers;
};

struct load {
  int epoll;
  SSL_CTX* context;
  size_t payload;
  char* request;
  char* answer;
  long answers;
};

static void refuse_session(const char* what) {
  ERR_print_errors_fp(stderr);
  refuse(what);
}

static void send_request(struct load* load, struct connection* connection) {
  while (connection->sent < load->payload) {
    size_t size = 0;
    ERR_clear_error();
    int result = SSL_write_ex(connection->session, load->request + connection->sent,
                              load->payload - connection->sent, &size);
    if (result == 1) {
      connection->sent += size;
      continue;
    }
    if (SSL_get_error(connection->session, result) != SSL_ERROR_WANT_WRITE)
      refuse_session("cannot write");
    break;
  }
  int waits = connection->sent < load->payload;
  if (waits != connection->waits_for_room) {
    watch(load->epoll, EPOLL_CTL_MOD, connection->descriptor, connection,
          waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    connection->waits_for_room = waits;
  }
}

static void answered(struct load* load, struct connection* connection) {
  ++connection->answers;
  ++load->answers;
  connection->sent = connection->received = 0;
  send_request(load, connection);
}

static void compare_answer(struct load* load, struct connection* connection) {
  for (;;) {
    size_t size = 0;
    ERR_clear_error();
    int result =
        SSL_read_ex(connection->session, load->answer, load->payload - connection->received, &size);
    if (result != 1) {
      if (SSL_get_error(connection->session, result) != SSL_ERROR_WANT_READ)
        refuse_session("cannot read");
      return;
    }
    if (memcmp(load->answer, load->request + connection->received, size) != 0)
      refuse("the answer is not the request");
    connection->received += size;
    if (connection->received < load->payload) continue;
    if (SSL_has_pending(connection->session)) refuse("more came than was asked for");
    answered(load, connection);
    return;
  }
}

static void count_answer(struct load* load, struct connection* connection) {
  for (;;) {
    ssize_t size;
    if (connection->skipping != 0) {
      size = recv(connection->descriptor, NULL, connection->skipping, MSG_TRUNC);
    } else {
      size = recv(connection->descriptor, connection->head + connection->in_head,
                  header - connection->in_head, 0);
    }
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) fail("recv");
    if (size == 0) refuse("the server closed a connection");
    if (connection->skipping != 0) {
      connection->skipping -= (size_t)size;
    } else if ((connection->in_head += (size_t)size) == header) {
      size_t length = (size_t)connection->head[3] << 8 | connection->head[4];
      if (connection->head[0] != SSL3_RT_APPLICATION_DATA || length < trailer)
        refuse("a record that is no data");
      connection->in_head = 0;
      connection->skipping = length;
      connection->received += length - trailer;
    }
    if (connection->received < load->payload || connection->skipping != 0) continue;
    if (connection->received != load->payload) refuse("an answer of another length");
    answered(load, connection);
    return;
  }
}

static void connect_to(struct load* load, struct connection* connection, int port) {
  int descriptor = newly_connected_to(port);
  connection->descriptor = descriptor;
  connection->session = SSL_new(load->context);
  if (connection->session == NULL || SSL_set_fd(connection->session, descriptor) != 1 ||
      SSL_connect(connection->session) != 1)
    refuse_session("no handshake");
  if (SSL_version(connection->session) != TLS1_3_VERSION)
    refuse("the server does not speak TLS 1.3");
  if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  watch(load->epoll, EPOLL_CTL_ADD, descriptor, connection, EPOLLIN);
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
      if ((events[i].events & ~(unsigned)EPOLLOUT) == 0) continue;
      if (connection->answers == 0) {
        compare_answer(load, connection);
      } else {
        count_answer(load, connection);
      }
    }
    time = now();
  }
  return time;
}

int main(int argc, char** argv) {
  struct asked asked = asked_for(argc, argv);

  struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC), .payload = asked.payload};
  if (load.epoll < 0) fail("epoll_create1");
  load.context = SSL_CTX_new(TLS_client_method());
  if (load.context == NULL) refuse_session("no context");
  SSL_CTX_set_verify(load.context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_mode(load.context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  load.request = made_request(load.payload);
  load.answer = made_request(load.payload);
  struct connection* all = made_array((size_t)asked.connections, sizeof *all);

  for (int i = 0; i < asked.connections; ++i) connect_to(&load, &all[i], asked.port);
  for (int i = 0; i < asked.connections; ++i) send_request(&load, &all[i]);
  double start = drive(&load, now() + warm_up);
  long before = load.answers;
  double end = drive(&load, start + asked.seconds);
  for (int i = 0; i < asked.connections; ++i) {
    if (all[i].answers == 0) refuse("a connection was never answered");
  }
  printf("%.1f %ld\n", (double)(load.answers - before) / (end - start), load.answers);
  return 0;
}
