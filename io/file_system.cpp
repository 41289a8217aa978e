#include <troupe/io/file_system.hpp>
#include <troupe/io/internal/file_calls.hpp>
#include <troupe/io/internal/files.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/ref_count.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>

namespace troupe::io {

using internal::expect_path;
using internal::file_call;
using internal::file_job;
using internal::throw_file_error;
namespace files = internal::files;

// --- what lies behind a name ------------------------------------------------------------------------------------------

namespace {

file_kind kind_of(mode_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return file_kind::regular;
    case S_IFDIR:
      return file_kind::directory;
    case S_IFLNK:
      return file_kind::symbolic_link;
    case S_IFIFO:
      return file_kind::pipe;
    case S_IFSOCK:
      return file_kind::socket;
    default:
      return file_kind::device;
  }
}

file_status look(const std::string& path, bool follow) {
  expect_path("looking at", path);
  struct stat about{};
  if (files::look(path, about, follow) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    throw_file_error(errno, "looking at", path);
  }
  file_status found;
  found.kind = kind_of(about.st_mode);
  found.permissions = about.st_mode & 07777;
  found.size = static_cast<std::uint64_t>(about.st_size);
  found.links = about.st_nlink;
  found.device = about.st_dev;
  found.inode = about.st_ino;
  found.owner = about.st_uid;
  found.group = about.st_gid;
  found.modified =
      std::chrono::seconds(about.st_mtim.tv_sec) + std::chrono::nanoseconds(about.st_mtim.tv_nsec);
  return found;
}

}  // namespace

coro<file_status> status_of(std::string path, bool follow) {
  file_call call([path = std::move(path), follow] { return look(path, follow); });
  co_return co_await call;
}

coro<bool> exists(std::string path) {
  file_call call([path = std::move(path)] { return look(path, true).exists(); });
  co_return co_await call;
}

coro<> remove_path(std::string path) {
  file_call call([path = std::move(path)] {
    expect_path("removing", path);
    if (files::remove(path) != 0) throw_file_error(errno, "removing", path);
  });
  co_await call;
}

namespace {

std::uint64_t remove_all(const std::string& path) {
  expect_path("removing", path);
  std::error_code error;
  const std::uint64_t removed = files::remove_all(path, error);
  if (error) throw_file_error(error.value(), "removing", path);
  return removed;
}

}  // namespace

coro<std::uint64_t> remove_tree(std::string path) {
  file_call call([path = std::move(path)] { return remove_all(path); });
  co_return co_await call;
}

coro<> rename_path(std::string from, std::string to) {
  file_call call([from = std::move(from), to = std::move(to)] {
    expect_path("renaming", from);
    expect_path("renaming to", to);
    if (files::rename(from, to) != 0) throw_file_error(errno, "renaming '" + from + "' to", to);
  });
  co_await call;
}

namespace {
bool make_all(const std::string& path, unsigned permissions) {
  expect_path("making the directory", path);
  if (files::make_directory(path, permissions) == 0) return true;
  if (errno == ENOENT && !path.empty()) {
    const std::string above =
        internal::directory_of(path.substr(0, path.find_last_not_of('/') + 1));
    if (above != path) {
      make_all(above, 0777);
      if (files::make_directory(path, permissions) == 0) return true;
    }
  }
  if (errno == EEXIST) {
    if (look(path, true).kind == file_kind::directory) return false;
    errno = EEXIST;
  }
  throw_file_error(errno, "making the directory", path);
}
}  // namespace

coro<bool> make_directories(std::string path, unsigned permissions) {
  file_call call([path = std::move(path), permissions] { return make_all(path, permissions); });
  co_return co_await call;
}

// --- directories ------------------------------------------------------------------------------------------------------

/// Counted by the directory and by the call that reads it.
struct directory::reading {
  reading(std::unique_ptr<files::listing> owned, std::string opened) noexcept
      : entries(std::move(owned)), path(std::move(opened)) {}
  ~reading() {
    internal::do_aside([closed = std::move(entries)]() mutable { closed.reset(); });
  }
  void release() noexcept {
    if (count.drop()) delete this;
  }

  troupe::internal::ref_count count{1};
  std::unique_ptr<files::listing> entries;
  std::string path;
  std::atomic<bool> in_use{false};
};

namespace {

using reading = directory::reading;

/// In the call that reads.
struct reading_use {
  explicit reading_use(reading& of) noexcept : used(&of) { of.count.add(); }
  reading_use(reading_use&& other) noexcept : used(std::exchange(other.used, nullptr)) {}
  ~reading_use() {
    if (used == nullptr) return;
    used->in_use = false;
    used->release();
  }
  reading* used;
};

std::unique_ptr<files::listing> open_entries(const std::string& path) {
  expect_path("listing", path);
  auto opened = files::list(path);
  if (opened == nullptr) throw_file_error(errno, "listing", path);
  return opened;
}

std::vector<directory_entry> read_entries(files::listing& from, const std::string& path,
                                          std::size_t most, const file_job& job) {
  std::vector<directory_entry> found;
  while (found.size() < most && !job.stopped()) {
    files::listing::entry each;
    if (!from.next(each)) {
      if (errno != 0) throw_file_error(errno, "listing", path);
      break;
    }
    found.push_back({std::move(each.name), each.mode != 0 ? kind_of(each.mode) : file_kind::none});
  }
  return found;
}

}  // namespace

directory::~directory() {
  if (reading_ != nullptr) reading_->release();
}

coro<std::vector<directory_entry>> directory::next(std::size_t most) {
  troupe::expects(reading_ != nullptr, "a directory was used after it had been moved away");
  if (reading_->in_use.exchange(true))
    throw invalid_state("two calls read the directory '" + reading_->path +
                        "': one that was cancelled may still be under way");
  file_call call([use = reading_use(*reading_), most](const file_job& job) {
    return read_entries(*use.used->entries, use.used->path, most, job);
  });
  co_return co_await call;
}

coro<directory> open_directory(std::string path) {
  file_call call(
      [path = std::move(path)] { return directory(*new reading(open_entries(path), path)); });
  co_return co_await call;
}

coro<std::vector<directory_entry>> list_directory(std::string path, std::size_t limit) {
  file_call call([path = std::move(path), limit](const file_job& job) {
    const reading all(open_entries(path), path);
    auto found = read_entries(*all.entries, path, limit == SIZE_MAX ? limit : limit + 1, job);
    if (found.size() > limit)
      throw too_long("the directory '" + path + "' has more than the " + std::to_string(limit) +
                     " entries that were to be listed");
    std::sort(found.begin(), found.end(),
              [](const directory_entry& a, const directory_entry& b) { return a.name < b.name; });
    return found;
  });
  co_return co_await call;
}

// --- for a while ------------------------------------------------------------------------------------------------------

namespace {

std::string made_in(const std::string& where, bool is_directory) {
  const std::string place = where.empty() ? files::temporary_place() : where;
  expect_path("making a temporary file in", place);
  for (int tries = 0;; ++tries) {
    const std::string path = place + "/troupe-" + files::random_letters();
    if (is_directory) {
      if (files::make_directory(path, 0700) == 0) return path;
    } else {
      const int made = files::open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
      if (made >= 0) {
        files::close(made);
        return path;
      }
    }
    if (errno != EEXIST || tries == 100)
      throw_file_error(errno, "making a temporary file in", place);
  }
}

coro<temporary> make_temporary(std::string where, bool is_directory) {
  file_call call(
      [where = std::move(where), is_directory] { return temporary(made_in(where, is_directory)); });
  co_return co_await call;
}

}  // namespace

void temporary::remove() noexcept {
  internal::do_aside([path = std::move(path_)] {
    try {
      remove_all(path);
    } catch (const std::exception&) {  // what cannot be removed stays
    }
  });
}

coro<temporary> temporary_directory(std::string where) {
  return make_temporary(std::move(where), true);
}
coro<temporary> temporary_file(std::string where) {
  return make_temporary(std::move(where), false);
}

}  // namespace troupe::io
