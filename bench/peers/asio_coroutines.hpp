// What the programs of asio's coroutines share: names, and channels on an io_context.
#pragma once

#include <asio.hpp>
#include <asio/experimental/channel.hpp>

#include <cstdint>

#include "../harness.hpp"

namespace bench {

using asio::awaitable;
using asio::co_spawn;
using asio::detached;
using asio::io_context;
using asio::use_awaitable;

template <class Message>
using channel =
    asio::experimental::channel<io_context::executor_type, void(asio::error_code, Message)>;
using mailbox = channel<std::int64_t>;

inline const asio::error_code ok;

// Runs until somebody stops the context, or nothing is left to do. The coroutines that still wait
// die with it.
inline double run(io_context& context) {
  const stopwatch watch;
  context.run();
  return watch.nanoseconds();
}

}  // namespace bench
