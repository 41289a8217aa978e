#include <troupe/io/internal/file_calls.hpp>
#include <troupe/io/internal/files.hpp>
#include <troupe/io/socket.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

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
  return flags | O_NOCTTY;
}

/// Room for what is left of a file, as far as that is known, and for one byte more, by which the end is seen.
std::size_t room_for(int descriptor, std::uint64_t offset, std::size_t most) {
  struct stat about{};
  if (files::look(descriptor, about) != 0 || !S_ISREG(about.st_mode))
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
    const ssize_t got = files::read(descriptor, room.first(wanted), offset);
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
  slow_descriptor opened(files::open(path, flags_of(options) | O_NONBLOCK, options.permissions));
  if (opened.get() < 0) {
    struct stat about{};
    // A pipe that nobody reads, and a socket, say so.
    if (errno == ENXIO && files::look(path, about) == 0 &&
        (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode)))
      errno = ESPIPE;
    throw_file_error(errno, "opening", path);
  }
  struct stat about{};
  if (files::look(opened.get(), about) != 0) throw_file_error(errno, "opening", path);
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
  const bool device = files::look(descriptor, about) == 0 && !S_ISREG(about.st_mode);
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

void write_fully(int descriptor, const std::string& path, std::span<const std::byte> all,
                 std::int64_t offset) {
  std::size_t done = 0;
  while (done < all.size()) {
    const ssize_t put =
        files::write(descriptor, all.subspan(done, std::min(all.size() - done, most_at_once)),
                     offset < 0 ? offset : offset + static_cast<std::int64_t>(done));
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

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
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
      path_ = directory_of(beside) + "/." + name + "." + files::random_letters();
      opened_ = descriptor(files::open(path_, O_WRONLY | O_CREAT | O_EXCL, permissions));
      if (!opened_ && (errno != EEXIST || tries == 100)) {
        const int error = errno;
        path_.clear();
        throw_file_error(error, "replacing", beside);
      }
    }
  }
  ~newcomer() {
    if (!path_.empty()) files::remove(path_);
  }
  newcomer(const newcomer&) = delete;
  newcomer& operator=(const newcomer&) = delete;

  int native() const noexcept { return opened_.get(); }
  const std::string& path() const noexcept { return path_; }
  int close() noexcept { return files::close(opened_.release()); }
  void has_moved() noexcept { path_.clear(); }

 private:
  std::string path_;
  descriptor opened_;
};

void sync_directory(const std::string& path) {
  const descriptor opened(files::open(directory_of(path), O_RDONLY | O_DIRECTORY));
  // A directory that may not be read cannot be flushed, nor one of some file systems.
  if (!opened) return;
  if (files::flush(opened.get()) != 0 && errno != EINVAL && errno != ENOTSUP)
    throw_file_error(errno, "replaced, but the flush of its directory failed:", path);
}

}  // namespace

void write_atomically(const std::string& given, std::span<const std::byte> content,
                      const file_job& job) {
  expect_path("replacing", given);
  const std::string path = files::followed(given);
  struct stat before{};
  const bool is_new = files::look(path, before) != 0;
  if (is_new && errno != ENOENT) throw_file_error(errno, "replacing", given);
  if (!is_new && S_ISDIR(before.st_mode)) throw_file_error(EISDIR, "replacing", given);
  if (!is_new && !S_ISREG(before.st_mode))
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "replacing '" + given + "', which is a device or pipe and no file");
  newcomer made(path, is_new ? 0666 : 0600);
  if (!is_new && files::take_over_rights(made.native(), before) != 0)
    throw_file_error(errno, "replacing", given);
  for (std::size_t done = 0; done < content.size() && !job.stopped(); done += most_at_once) {
    write_fully(made.native(), made.path(),
                content.subspan(done, std::min(most_at_once, content.size() - done)),
                static_cast<std::int64_t>(done));
  }
  if (job.stopped()) return;
  if (files::flush(made.native()) != 0 || made.close() != 0)
    throw_file_error(errno, "replacing", given);
  if (files::rename(made.path(), path) != 0) throw_file_error(errno, "replacing", given);
  made.has_moved();
  sync_directory(path);
}

}  // namespace troupe::io::internal
