#pragma once

#include <troupe/io/socket.hpp>
#include <troupe/io/stream.hpp>

#include <concepts>
#include <utility>

namespace troupe::io {

/// The two ends of a pipe. Both are closed on exec, and block, as a child expects of what it is given.
struct pipe_ends {
  descriptor read;
  descriptor write;
};

/// A pipe of the system's. Errors: std::system_error when there is no descriptor left.
pipe_ends open_pipe();

/// A stream that reads from one descriptor and writes to another: pipes, a terminal, a named pipe, a socket, a character device. Either
/// may be empty: then there is nothing to read, or to write, and who tries loses the stream with std::errc::bad_file_descriptor.
///
///     io::pipe_ends made = io::open_pipe();
///     io::stream from = io::make_stream(std::move(made.read), {});
///     io::stream to = io::make_stream({}, std::move(made.write));
///
/// What else refers to the same open pipe or terminal, such as the shell that this program was started by, does not become
/// non-blocking by it: a pipe or terminal is opened anew. Where that cannot be done (a socket, another device, no /proc, a
/// pipe whose other end has gone) the flag is set after all, for all who share it.
/// A write to a pipe that nobody reads ends the stream with std::errc::broken_pipe and never raises SIGPIPE, whatever the program
/// does with that signal.
/// Errors: std::invalid_argument for a plain file or a folder, which are never waited for, or when both are empty; std::system_error
/// when it cannot be watched; as of `stream`.
stream make_stream(descriptor read, descriptor write, const stream_options& options = {});

namespace internal {
stream stream_of_one(descriptor both, const stream_options& options);
}

/// The same with one descriptor, for whatever it was opened for: reading, writing or both.
inline stream make_stream(descriptor both) { return internal::stream_of_one(std::move(both), {}); }
/// With options that have a name, so that `{}` is a descriptor that is none.
template <std::same_as<stream_options> Options>
stream make_stream(descriptor both, const Options& options) {
  return internal::stream_of_one(std::move(both), options);
}

}  // namespace troupe::io
