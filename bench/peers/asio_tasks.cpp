// Tasks as asio coroutines, started by co_spawn, on one io_context{1}; a queue is an asio channel.
#include <asio.hpp>

#include "../task_cases.hpp"
#include "asio_coroutines.hpp"

namespace {

using bench::awaitable;
using bench::co_spawn;
using bench::detached;
using bench::io_context;
using bench::mailbox;
using bench::ok;
using bench::use_awaitable;

awaitable<std::int64_t> successor(std::int64_t value) { co_return value + 1; }

// Each coroutine runs on `there` and is awaited on `context`, which may be the same.
template <class Executor>
awaitable<void> await_all(Executor there, std::int64_t count) {
  for (std::int64_t value = 0; value != count;) {
    value = co_await co_spawn(there, successor(value), use_awaitable);
  }
}

double task(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    co_spawn(context, await_all(context.get_executor(), count), detached);
    return bench::run(context);
  });
}

double to_thread(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    asio::thread_pool pool{1};
    co_spawn(context, await_all(pool.get_executor(), count), detached);
    return bench::run(context);
  });
}

awaitable<void> yield_often(std::int64_t times) {
  for (; times > 0; --times) co_await asio::post(use_awaitable);
}

double yield(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    for (int i = 0; i < 2; ++i) co_spawn(context, yield_often(count / 2), detached);
    return bench::run(context);
  });
}

awaitable<void> serve_all(mailbox& out, mailbox& back, std::int64_t count) {
  for (std::int64_t value = 0; value < count;) {
    co_await out.async_send(ok, value + 1, use_awaitable);
    value = co_await back.async_receive(use_awaitable);
  }
}

awaitable<void> return_all(mailbox& in, mailbox& back, std::int64_t count) {
  for (std::int64_t value = 0; value < count;) {
    value = 1 + co_await in.async_receive(use_awaitable);
    co_await back.async_send(ok, value, use_awaitable);
  }
}

double queue(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    mailbox there{context.get_executor(), 1};
    mailbox back{context.get_executor(), 1};
    co_spawn(context, serve_all(there, back, count), detached);
    co_spawn(context, return_all(there, back, count), detached);
    return bench::run(context);
  });
}

awaitable<void> put_all(mailbox& to, std::int64_t count) {
  for (std::int64_t i = 1; i <= count; ++i) co_await to.async_send(ok, i, use_awaitable);
}

awaitable<void> get_all(mailbox& from, std::int64_t count) {
  for (; count > 0; --count) co_await from.async_receive(use_awaitable);
}

double stream(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    io_context context{1};
    mailbox items{context.get_executor(), bench::stream_room};
    co_spawn(context, put_all(items, count), detached);
    co_spawn(context, get_all(items, count), detached);
    return bench::run(context);
  });
}

awaitable<void> sleep_an_hour() {
  asio::steady_timer timer{co_await asio::this_coro::executor, std::chrono::hours(1)};
  co_await timer.async_wait(use_awaitable);
}

double sleeping(const bench::request&) {
  io_context context{1};
  const double before = bench::resident_bytes();
  for (int i = 0; i < bench::sleeping_tasks; ++i) co_spawn(context, sleep_an_hour(), detached);
  context.poll();
  return (bench::resident_bytes() - before) / bench::sleeping_tasks;
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"task", "asio-awaitable", 1, "ns", task},
                      {"yield", "asio-awaitable", 1, "ns", yield},
                      {"queue", "asio-awaitable", 1, "ns", queue},
                      {"stream", "asio-awaitable", 1, "ns", stream},
                      {"to_thread", "asio-awaitable", 1, "ns", to_thread},
                      {"sleeping", "asio-awaitable", 1, "bytes", sleeping}});
}
