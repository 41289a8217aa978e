#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/pipe_transport.hpp>
#include <troupe/io/pipe.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::io {

namespace {

void set_flag(int of, int flag) {
  const int flags = ::fcntl(of, F_GETFL);
  if (flags < 0 || ::fcntl(of, F_SETFL, flags | flag) != 0)
    internal::throw_last_error("making a descriptor non-blocking");
}

/// Whether to open it anew gives another way to the same thing. A device may be a new one each time, as is the master of a terminal.
bool same_when_opened_anew(const descriptor& given) {
  struct stat found{};
  if (::fstat(given.get(), &found) != 0) internal::throw_last_error("a descriptor for a stream");
  if (S_ISFIFO(found.st_mode)) return true;
  unsigned number = 0;
  return ::isatty(given.get()) == 1 && ::ioctl(given.get(), TIOCGPTN, &number) != 0;
}

/// The same file, not blocking, and opened anew where that can be done: the flag belongs to what is open, which others may share.
descriptor without_blocking(descriptor given) {
  const int flags = ::fcntl(given.get(), F_GETFL);
  if (flags < 0) internal::throw_last_error("a descriptor for a stream");
  if ((flags & O_NONBLOCK) != 0) return given;
  if (same_when_opened_anew(given)) {
    const std::string path = "/proc/self/fd/" + std::to_string(given.get());
    descriptor anew(::open(path.c_str(), (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (anew) return anew;
    if (errno == EMFILE || errno == ENFILE)
      internal::throw_last_error("opening a descriptor for a stream anew");
  }
  set_flag(given.get(), O_NONBLOCK);
  // Should it still be open when this program becomes another.
  static_cast<void>(::fcntl(given.get(), F_SETFD, FD_CLOEXEC));
  return given;
}

void expect_streamable(const descriptor& given) {
  struct stat found{};
  if (::fstat(given.get(), &found) != 0) internal::throw_last_error("a descriptor for a stream");
  if (S_ISREG(found.st_mode))
    throw std::invalid_argument(
        "a plain file is no stream: it is never waited for. Read it as a file, or give it to a "
        "child as its input or output");
  if (S_ISDIR(found.st_mode)) throw std::invalid_argument("a folder is no stream");
}

const char* name_of(const descriptor& given) {
  struct stat found{};
  if (::fstat(given.get(), &found) != 0) return "descriptor";
  if (S_ISFIFO(found.st_mode)) return "pipe";
  if (S_ISSOCK(found.st_mode)) return "unix";
  return ::isatty(given.get()) == 1 ? "terminal" : "device";
}

}  // namespace

pipe_ends open_pipe() {
  int both[2];
  if (::pipe2(both, O_CLOEXEC) != 0) internal::throw_last_error("opening a pipe");
  return {descriptor(both[0]), descriptor(both[1])};
}

stream make_stream(descriptor read, descriptor write, const stream_options& options) {
  if (!read && !write) throw std::invalid_argument("a stream of two descriptors got neither");
  const std::string name = name_of(read ? read : write);
  if (read) {
    expect_streamable(read);
    read = without_blocking(std::move(read));
  }
  if (write) {
    expect_streamable(write);
    write = without_blocking(std::move(write));
  }
  return stream(std::make_unique<internal::pipe_transport>(std::move(read), std::move(write), name),
                options);
}

stream internal::stream_of_one(descriptor both, const stream_options& options) {
  if (!both) throw std::invalid_argument("a stream of a descriptor got none");
  const int flags = ::fcntl(both.get(), F_GETFL);
  if (flags < 0) internal::throw_last_error("a descriptor for a stream");
  if ((flags & O_ACCMODE) == O_RDONLY) return make_stream(std::move(both), descriptor(), options);
  if ((flags & O_ACCMODE) == O_WRONLY) return make_stream(descriptor(), std::move(both), options);
  expect_streamable(both);
  const std::string name = name_of(both);
  both = without_blocking(std::move(both));
  return stream(std::make_unique<pipe_transport>(std::move(both), descriptor(), name, true),
                options);
}

}  // namespace troupe::io
