#include <troupe/io/internal/file_calls.hpp>
#include <troupe/io/socket.hpp>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace troupe::io::internal {

namespace {

constexpr std::size_t device_chunk = std::size_t{1} << 16;
constexpr std::size_t least_room = std::size_t{1} << 12;
constexpr std::size_t most_at_once = std::size_t{1}
                                     << 20;  // then it is asked whether anybody wants it

int flags_of(const open_options& wanted) {
  const bool writes = wanted.write || wanted.append;
  int flags = wanted.read ? (writes ? O_RDWR : O_RDONLY) : O_WRONLY;
  if (wanted.append) flags |= O_APPEND;
  if (wanted.create) flags |= O_CREAT;
  if (wanted.truncate) flags |= O_TRUNC;
  if (wanted.exclusive) flags |= O_EXCL;
  return flags | O_CLOEXEC | O_NOCTTY;
}

/// Room for what is left of a file, as far as that is known, and for one byte more, by which the end is seen.
std::size_t room_for(int descriptor, std::uint64_t offset, std::size_t most) {
  struct stat about{};
  if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode))
    return std::min(most, device_chunk);
  const auto size = static_cast<std::uint64_t>(about.st_size);
  const std::uint64_t left = size > offset ? size - offset : 0;
  // What the system says of its own files, as in /proc, is nothing.
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(most, std::max<std::uint64_t>(left + 1, least_room)));
}

void enlarge(bytes& full, std::size_t most) {
  bytes larger = bytes::with_capacity(std::min(most, std::max(full.size() * 2, least_room)));
  if (!full.empty()) std::memcpy(larger.room().data(), full.data(), full.size());
  larger.grow(full.size());
  full.swap(larger);
}

/// Reads behind what is in `into`, up to its room, at `offset`, or at the system's position when that is negative. Returns false at
/// the end.
bool read_more(int descriptor, const std::string& path, bytes& into, std::int64_t offset) {
  const std::span<std::byte> room = into.room();
  std::size_t wanted = std::min(room.size(), most_at_once);
  // The system refuses what would end behind the last place there can be.
  if (offset >= 0) wanted = std::min(wanted, static_cast<std::size_t>(INT64_MAX - offset));
  for (;;) {
    const ssize_t got = offset < 0 ? ::read(descriptor, room.data(), wanted)
                                   : ::pread(descriptor, room.data(), wanted, offset);
    if (got > 0) into.grow(static_cast<std::size_t>(got));
    if (got >= 0) return got != 0;
    if (errno != EINTR) throw_file_error(errno, "reading", path);
  }
}

}  // namespace

void expect_path(std::string_view doing, const std::string& path) {
  if (path.find('\0') == std::string::npos) return;
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          std::string(doing) + " '" + path.c_str() +
                              "': the name goes on behind a NUL, which no name can hold");
}

int open_path(const std::string& path, const open_options& options) {
  expect_path("opening", path);
  // A pipe without a peer must not hold the thread; what else there is does not mind.
  slow_descriptor opened(::open(path.c_str(), flags_of(options) | O_NONBLOCK, options.permissions));
  if (opened.get() < 0) {
    struct stat about{};
    // A pipe that nobody reads, and a socket, say so.
    if (errno == ENXIO && ::stat(path.c_str(), &about) == 0 &&
        (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode)))
      errno = ESPIPE;
    throw_file_error(errno, "opening", path);
  }
  struct stat about{};
  if (::fstat(opened.get(), &about) != 0) throw_file_error(errno, "opening", path);
  if (S_ISDIR(about.st_mode)) throw_file_error(EISDIR, "opening", path);
  if (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode)) {
    throw std::system_error(std::make_error_code(std::errc::invalid_seek),
                            "opening '" + path + "', which is a pipe and no file: use a stream");
  }
  if (!S_ISREG(about.st_mode)) {
    const int flags = ::fcntl(opened.get(), F_GETFL);
    if (flags >= 0) static_cast<void>(::fcntl(opened.get(), F_SETFL, flags & ~O_NONBLOCK));
  }
  return opened.release();
}

bytes read_up_to(int descriptor, const std::string& path, std::uint64_t offset, std::size_t most,
                 const file_job& job) {
  if (offset > static_cast<std::uint64_t>(INT64_MAX)) throw_file_error(EINVAL, "reading", path);
  bytes got = bytes::with_capacity(room_for(descriptor, offset, most));
  struct stat about{};
  const bool device = ::fstat(descriptor, &about) == 0 && !S_ISREG(about.st_mode);
  while (got.size() < most && !job.stopped()) {
    if (got.room().empty()) enlarge(got, most);
    if (!read_more(descriptor, path, got, static_cast<std::int64_t>(offset + got.size()))) break;
    if (device) break;
  }
  return got;
}

bool read_rest(int descriptor, const std::string& path, bytes& into, std::size_t most,
               const file_job& job) {
  const std::size_t enough = most == SIZE_MAX ? most : most + 1;
  if (into.room().empty()) into = bytes::with_capacity(room_for(descriptor, 0, enough));
  while (!job.stopped()) {
    if (into.size() > most) return false;
    if (into.room().empty()) enlarge(into, enough);
    if (!read_more(descriptor, path, into, -1)) break;
  }
  return true;
}

namespace {

ssize_t put_at_end(int descriptor, const iovec& part) noexcept {
  const ssize_t put = ::pwritev2(descriptor, &part, 1, -1, RWF_APPEND);
  if (put >= 0 || errno != EOPNOTSUPP) return put;
  // Devices have no end.
  struct stat about{};
  if (::fstat(descriptor, &about) != 0) return -1;
  return ::pwrite(descriptor, part.iov_base, part.iov_len, about.st_size);
}

}  // namespace

void write_fully(int descriptor, const std::string& path, std::span<const std::byte> all,
                 std::int64_t offset) {
  std::size_t done = 0;
  while (done < all.size()) {
    const iovec part{const_cast<std::byte*>(all.data()) + done,
                     std::min(all.size() - done, most_at_once)};
    const ssize_t put = offset < 0 ? put_at_end(descriptor, part)
                                   : ::pwrite(descriptor, part.iov_base, part.iov_len,
                                              offset + static_cast<std::int64_t>(done));
    if (put >= 0) {
      done += static_cast<std::size_t>(put);
    } else if (errno != EINTR) {
      const int error = errno;
      throw std::system_error(error, std::generic_category(),
                              "writing '" + path + "', after " + std::to_string(done) +
                                  " bytes of " + std::to_string(all.size()));
    }
  }
}

// --- replacing --------------------------------------------------------------------------------------------------------

std::string random_letters() {
  static constexpr char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  unsigned char noise[10];
  if (::getrandom(noise, sizeof noise, 0) != static_cast<ssize_t>(sizeof noise))
    throw std::system_error(errno, std::generic_category(), "random numbers of the system");
  std::string made;
  for (const unsigned char each : noise) made += letters[each % (sizeof letters - 1)];
  return made;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string followed(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real != nullptr ? std::string(real.get()) : path;
}

namespace {

/// A file under a name that goes unless it is renamed.
class newcomer {
 public:
  newcomer(const std::string& beside, unsigned permissions) {
    const std::size_t slash = beside.find_last_of('/');
    constexpr std::size_t longest = 200;  // of 255, so that the letters fit
    const std::string name =
        (slash == std::string::npos ? beside : beside.substr(slash + 1)).substr(0, longest);
    for (int tries = 0; !opened_; ++tries) {
      path_ = directory_of(beside) + "/." + name + "." + random_letters();
      opened_ =
          descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions));
      if (!opened_ && (errno != EEXIST || tries == 100)) {
        const int error = errno;
        path_.clear();
        throw_file_error(error, "replacing", beside);
      }
    }
  }
  ~newcomer() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  newcomer(const newcomer&) = delete;
  newcomer& operator=(const newcomer&) = delete;

  int native() const noexcept { return opened_.get(); }
  const std::string& path() const noexcept { return path_; }
  int close() noexcept { return ::close(opened_.release()); }
  void has_moved() noexcept { path_.clear(); }

 private:
  std::string path_;
  descriptor opened_;
};

void sync_directory(const std::string& path) {
  const descriptor opened(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A directory that may not be read cannot be flushed, nor one of some file systems.
  if (!opened) return;
  if (::fsync(opened.get()) != 0 && errno != EINVAL && errno != ENOTSUP)
    throw_file_error(errno, "replaced, but the flush of its directory failed:", path);
}

}  // namespace

void write_atomically(const std::string& given, std::span<const std::byte> content,
                      const file_job& job) {
  expect_path("replacing", given);
  const std::string path = followed(given);
  struct stat before{};
  const bool is_new = ::stat(path.c_str(), &before) != 0;
  if (is_new && errno != ENOENT) throw_file_error(errno, "replacing", given);
  if (!is_new && S_ISDIR(before.st_mode)) throw_file_error(EISDIR, "replacing", given);
  if (!is_new && !S_ISREG(before.st_mode))
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "replacing '" + given + "', which is a device or pipe and no file");
  newcomer made(path, is_new ? 0666 : 0600);
  if (!is_new) {
    // The owner only where that is allowed; it takes bits of the mode away, so the mode comes last.
    static_cast<void>(::fchown(made.native(), before.st_uid, before.st_gid) == 0 ||
                      ::fchown(made.native(), static_cast<uid_t>(-1), before.st_gid) == 0);
    if (::fchmod(made.native(), before.st_mode & 07777) != 0)
      throw_file_error(errno, "replacing", given);
  }
  for (std::size_t done = 0; done < content.size() && !job.stopped(); done += most_at_once) {
    write_fully(made.native(), made.path(),
                content.subspan(done, std::min(most_at_once, content.size() - done)),
                static_cast<std::int64_t>(done));
  }
  if (job.stopped()) return;
  if (::fsync(made.native()) != 0 || made.close() != 0) throw_file_error(errno, "replacing", given);
  if (::rename(made.path().c_str(), path.c_str()) != 0) throw_file_error(errno, "replacing", given);
  made.has_moved();
  sync_directory(path);
}

}  // namespace troupe::io::internal
