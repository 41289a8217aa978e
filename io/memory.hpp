#pragma once

#include <troupe/io/stream.hpp>
#include <troupe/io/transport.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace troupe::io {

/// Two transports that lead to each other through memory, on one loop: what is written to one is read from the other, up to `capacity`
/// bytes under way in each direction. For tests, and for parts of a program that speak as if over a network.
/// Threads: one loop's.
std::pair<std::unique_ptr<transport>, std::unique_ptr<transport>> memory_transports(
    std::size_t capacity = std::size_t{1} << 16);

/// The same with streams over them. Errors: `invalid_state` off a loop.
std::pair<stream, stream> memory_pair(std::size_t capacity = std::size_t{1} << 16,
                                      const stream_options& options = {});

}  // namespace troupe::io
