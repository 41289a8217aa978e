#pragma once

#include <troupe/io/bytes.hpp>
#include <troupe/io/file.hpp>
#include <troupe/io/internal/file_job.hpp>

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

// What is done with files on a thread. Everything here blocks.

namespace troupe::io::internal {

/// Errors: always; std::system_error: what was done, with which path.
[[noreturn]] inline void throw_file_error(int error, std::string_view doing,
                                          const std::string& path) {
  throw std::system_error(error, std::generic_category(), std::string(doing) + " '" + path + "'");
}

/// Errors: std::system_error (invalid_argument) for a name that the system would cut off.
void expect_path(std::string_view doing, const std::string& path);

/// Opens and looks at what it is. Errors: std::system_error; for directories, pipes and sockets as well.
int open_path(const std::string& path, const open_options& options);

/// Bytes from `offset` on, `most` at most, fewer only at the end; of a device what it gives at once.
bytes read_up_to(int descriptor, const std::string& path, std::uint64_t offset, std::size_t most,
                 const file_job& job);
/// Appends what follows to `into`, up to `most` in it. False when there is more.
bool read_rest(int descriptor, const std::string& path, bytes& into, std::size_t most,
               const file_job& job);

/// Writes all of it; at the end of the file when `offset` is negative.
/// Errors: std::system_error that says how much was written.
void write_fully(int descriptor, const std::string& path, std::span<const std::byte> all,
                 std::int64_t offset);

/// Errors: std::system_error.
void write_atomically(const std::string& path, std::span<const std::byte> content,
                      const file_job& job);

std::string directory_of(const std::string& path);

}  // namespace troupe::io::internal
