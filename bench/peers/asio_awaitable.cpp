// Actors as asio coroutines: an actor is an awaitable, its mailbox an asio channel. Everything runs
// on one io_context{1}: asio's channel is not made for two threads, so there is no second column.
// With `echo` in front it is the echo server of the same make.
#include <asio.hpp>
#include <asio/experimental/as_tuple.hpp>

#include <array>
#include <deque>
#include <memory>

#include "../echo_server.hpp"
#include "../harness.hpp"
#include "asio_coroutines.hpp"

namespace {

using asio::ip::tcp;
using bench::awaitable;
using bench::channel;
using bench::co_spawn;
using bench::detached;
using bench::io_context;
using bench::mailbox;
using bench::ok;
using bench::run;
using bench::use_awaitable;

// Passes a token on; the last hop stops the context. Two of them are a ping-pong, a thousand a
// ring.
awaitable<void> pass_on(mailbox& inbox, mailbox& next, std::int64_t& left, io_context& context) {
  for (;;) {
    const std::int64_t value = co_await inbox.async_receive(use_awaitable);
    if (--left <= 0) {
      context.stop();
      co_return;
    }
    co_await next.async_send(ok, value + 1, use_awaitable);
  }
}

template <int Size>
double ring(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    std::deque<mailbox> mailboxes;
    std::int64_t left = count;
    for (int i = 0; i < Size; ++i) mailboxes.emplace_back(context.get_executor(), 1);
    for (int i = 0; i < Size; ++i) {
      co_spawn(context, pass_on(mailboxes[i], mailboxes[(i + 1) % Size], left, context), detached);
    }
    context.poll();
    mailboxes[0].try_send(ok, 0);
    return run(context);
  });
}

awaitable<void> receive_all(mailbox& inbox, std::int64_t count, io_context& context) {
  for (std::int64_t sum = 0; count > 0; --count) sum += co_await inbox.async_receive(use_awaitable);
  context.stop();
}

awaitable<void> send_all(mailbox& to, std::int64_t count) {
  for (std::int64_t i = 1; i <= count; ++i) {
    co_await to.async_send(ok, i, use_awaitable);
    if (i % bench::chunk == 0) co_await asio::post(use_awaitable);
  }
}

template <int Senders>
double fan_in(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    mailbox inbox{context.get_executor(), bench::chunk};
    co_spawn(context, receive_all(inbox, count, context), detached);
    for (int i = 0; i < Senders; ++i) co_spawn(context, send_all(inbox, count / Senders), detached);
    return run(context);
  });
}

struct question {
  std::int64_t value;
  std::shared_ptr<mailbox> reply;
};

awaitable<void> answer_all(channel<question>& inbox) {
  for (;;) {
    const question asked = co_await inbox.async_receive(use_awaitable);
    asked.reply->try_send(ok, asked.value + 1);
  }
}

// The reply comes through a channel made for this one question.
awaitable<void> ask_all(channel<question>& to, std::int64_t count, io_context& context) {
  for (std::int64_t value = 0; value < count;) {
    question asking{value, std::make_shared<mailbox>(context.get_executor(), 1)};
    const std::shared_ptr<mailbox> reply = asking.reply;
    co_await to.async_send(ok, std::move(asking), use_awaitable);
    value = co_await reply->async_receive(use_awaitable);
  }
  context.stop();
}

double ask(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    channel<question> inbox{context.get_executor(), 1};
    co_spawn(context, answer_all(inbox), detached);
    co_spawn(context, ask_all(inbox, count, context), detached);
    return run(context);
  });
}

// Owns its mailbox, handles one message and ends; the last one stops the context.
awaitable<void> die_after_one(std::shared_ptr<mailbox> inbox, std::int64_t& alive,
                              io_context& context) {
  co_await inbox->async_receive(use_awaitable);
  if (--alive == 0) context.stop();
}

awaitable<void> spawn_all(std::int64_t count, std::int64_t& alive, io_context& context) {
  for (std::int64_t i = 1; i <= count; ++i) {
    auto inbox = std::make_shared<mailbox>(context.get_executor(), 1);
    co_spawn(context, die_after_one(inbox, alive, context), detached);
    inbox->try_send(ok, i);
    if (i % bench::chunk == 0) co_await asio::post(use_awaitable);
  }
}

double spawn(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    std::int64_t alive = count;
    co_spawn(context, spawn_all(count, alive, context), detached);
    return run(context);
  });
}

awaitable<void> idle_actor(std::shared_ptr<mailbox> inbox) {
  for (std::int64_t state = 0;;) state += co_await inbox->async_receive(use_awaitable);
}

double idle(const bench::request&) {
  io_context context{1};
  const double before = bench::resident_bytes();
  for (int i = 0; i < bench::idle_actors; ++i) {
    auto inbox = std::make_shared<mailbox>(context.get_executor(), 1);
    co_spawn(context, idle_actor(std::move(inbox)), detached);
  }
  context.poll();
  return (bench::resident_bytes() - before) / bench::idle_actors;
}

awaitable<void> serve(tcp::socket socket) {
  std::array<char, bench::echo::buffer_size> buffer;
  const auto token = asio::experimental::as_tuple(use_awaitable);
  for (;;) {
    const auto [failed, size] = co_await socket.async_read_some(asio::buffer(buffer), token);
    if (failed) co_return;
    const auto data = asio::buffer(buffer, size);
    const auto [lost, written] = co_await asio::async_write(socket, data, token);
    if (lost) co_return;
  }
}

awaitable<void> accept_all(tcp::acceptor& acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    socket.set_option(tcp::no_delay{true});
    co_spawn(acceptor.get_executor(), serve(std::move(socket)), detached);
  }
}

int serve_echo(int port) {
  io_context context{1};
  const tcp::endpoint loopback{asio::ip::address_v4::loopback(),
                               static_cast<asio::ip::port_type>(port)};
  tcp::acceptor acceptor{context, loopback};
  bench::echo::announce(acceptor.local_endpoint().port());
  co_spawn(context, accept_all(acceptor), detached);
  context.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (const int port = bench::echo::wanted_port(argc, argv); port >= 0) return serve_echo(port);
  return bench::main(argc, argv,
                     {{"pingpong", "asio-awaitable", 1, "ns", ring<2>},
                      {"fanin1", "asio-awaitable", 1, "ns", fan_in<1>},
                      {"fanin8", "asio-awaitable", 1, "ns", fan_in<8>},
                      {"ask", "asio-awaitable", 1, "ns", ask},
                      {"spawn", "asio-awaitable", 1, "ns", spawn},
                      {"ring", "asio-awaitable", 1, "ns", ring<bench::ring_size>},
                      {"idle", "asio-awaitable", 1, "bytes", idle},
                      {"echo64", "asio-awaitable", 1, "req/s", nullptr},
                      {"echo16k", "asio-awaitable", 1, "req/s", nullptr}});
}
