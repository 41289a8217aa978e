#pragma once

#include <troupe/io/file.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/coro.hpp>

#include <cstdint>

namespace troupe::io {

/// Sends `count` bytes of a file from `offset` on, or fewer when it ends before, behind all that has been written to the stream; gives
/// how many they were. Into a plain socket the system copies them, and they never come here; into other streams they are read and
/// written piece by piece, as fast as the peer takes them. What other tasks write meanwhile comes before it or behind it, never within.
/// The position of the file stays.
/// Errors: what the stream was lost by, connection_reset when it is closed meanwhile; those of reading the file; `invalid_state` after
/// `write_eof`.
/// Cancel: some of it may have been sent, and nobody knows how much, so that mostly only `abort` is left for the stream.
/// Life: both must live until it ends. Cost: a piece takes the way to a thread and back, some 10 us, and is as long as the system's
/// buffer.
coro<std::uint64_t> send_file(stream& to, file& from, std::uint64_t offset = 0,
                              std::uint64_t count = static_cast<std::uint64_t>(-1));

}  // namespace troupe::io
