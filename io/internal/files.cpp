#include <troupe/io/internal/files.hpp>
#include <troupe/io/internal/simulated_files.hpp>
#include <troupe/runtime/internal/outside.hpp>
#include <troupe/runtime/internal/simulator.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

namespace troupe::io::internal {

simulated_files* simulated_disk() noexcept {
  const troupe::internal::simulator* const here = troupe::internal::current_simulator();
  return here != nullptr ? here->stand_in<simulated_files>() : nullptr;
}

namespace files {

namespace {

/// Who has that file; null for the system's. With EBADF where the simulation it belongs to is over.
template <class Simulated, class Real>
auto of(int file, Simulated simulated, Real real) noexcept -> decltype(real()) {
  if (!troupe::internal::is_simulated(file)) [[likely]]
    return real();
  if (simulated_files* const there = simulated_disk()) return simulated(*there);
  errno = EBADF;
  return -1;
}

}  // namespace

// --- files ------------------------------------------------------------------------------------------------------------

int open(const std::string& path, int flags, unsigned permissions) noexcept {
  if (simulated_files* const there = simulated_disk()) return there->open(path, flags, permissions);
  return ::open(path.c_str(), flags | O_CLOEXEC, permissions);
}

int close(int file) noexcept {
  return of(
      file, [&](simulated_files& all) { return all.close(file); }, [&] { return ::close(file); });
}

ssize_t read(int file, std::span<std::byte> into, off_t offset) noexcept {
  return of(
      file, [&](simulated_files& all) { return all.read(file, into, offset); },
      [&] {
        return offset < 0 ? ::read(file, into.data(), into.size())
                          : ::pread(file, into.data(), into.size(), offset);
      });
}

namespace {
ssize_t put_at_end(int file, std::span<const std::byte> from) noexcept {
  const iovec part{const_cast<std::byte*>(from.data()), from.size()};
  const ssize_t put = ::pwritev2(file, &part, 1, -1, RWF_APPEND);
  if (put >= 0 || errno != EOPNOTSUPP) return put;
  // Devices have no end.
  struct stat about{};
  if (::fstat(file, &about) != 0) return -1;
  return ::pwrite(file, from.data(), from.size(), about.st_size);
}
}  // namespace

ssize_t write(int file, std::span<const std::byte> from, off_t offset) noexcept {
  return of(
      file, [&](simulated_files& all) { return all.write(file, from, offset); },
      [&] {
        return offset < 0 ? put_at_end(file, from)
                          : ::pwrite(file, from.data(), from.size(), offset);
      });
}

int flush(int file, bool data_only) noexcept {
  return of(
      file, [&](simulated_files& all) { return all.flush(file); },
      [&] { return data_only ? ::fdatasync(file) : ::fsync(file); });
}

int resize(int file, off_t size) noexcept {
  return of(
      file, [&](simulated_files& all) { return all.resize(file, size); },
      [&] { return ::ftruncate(file, size); });
}

int look(int file, struct stat& about) noexcept {
  return of(
      file, [&](simulated_files& all) { return all.look(file, about); },
      [&] { return ::fstat(file, &about); });
}

int take_over_rights(int file, const struct stat& from) noexcept {
  return of(
      file, [&](simulated_files& all) { return all.set_permissions(file, from.st_mode & 07777); },
      [&] {
        // It takes bits of the mode away, so the mode comes last.
        static_cast<void>(::fchown(file, from.st_uid, from.st_gid) == 0 ||
                          ::fchown(file, static_cast<uid_t>(-1), from.st_gid) == 0);
        return ::fchmod(file, from.st_mode & 07777);
      });
}

// --- names ------------------------------------------------------------------------------------------------------------

int look(const std::string& path, struct stat& about, bool follow) noexcept {
  if (simulated_files* const there = simulated_disk()) return there->look(path, about);
  return follow ? ::stat(path.c_str(), &about) : ::lstat(path.c_str(), &about);
}

int remove(const std::string& path) noexcept {
  if (simulated_files* const there = simulated_disk()) return there->remove(path);
  return ::remove(path.c_str());
}

int rename(const std::string& from, const std::string& to) noexcept {
  if (simulated_files* const there = simulated_disk()) return there->rename(from, to);
  return ::rename(from.c_str(), to.c_str());
}

int make_directory(const std::string& path, mode_t permissions) noexcept {
  if (simulated_files* const there = simulated_disk())
    return there->make_directory(path, permissions);
  return ::mkdir(path.c_str(), permissions);
}

namespace {

std::uint64_t remove_all_simulated(simulated_files& all, const std::string& path,
                                   std::error_code& error) {
  struct stat about{};
  if (all.look(path, about) != 0) {
    if (errno != ENOENT) error = {errno, std::generic_category()};
    return 0;
  }
  std::uint64_t removed = 0;
  std::vector<std::pair<std::string, mode_t>> found;
  if (S_ISDIR(about.st_mode) && all.list(path, found) == 0) {
    for (const auto& [name, mode] : found)
      if (!error) removed += remove_all_simulated(all, path + "/" + name, error);
  }
  if (error) return removed;
  if (all.remove(path) == 0) return removed + 1;
  error = {errno, std::generic_category()};
  return removed;
}

}  // namespace

std::uint64_t remove_all(const std::string& path, std::error_code& error) {
  if (simulated_files* const there = simulated_disk())
    return remove_all_simulated(*there, path, error);
  // The library stops at what somebody else has removed meanwhile, such as a temporary file in a temporary directory that go at the same
  // time, each on a thread of its own: that is gone all the same, so it begins anew.
  constexpr int most_removals = 1'000;
  std::uintmax_t removed = 0;
  for (int left = most_removals; left > 0; --left) {
    removed = std::filesystem::remove_all(path, error);
    if (error != std::errc::no_such_file_or_directory) break;
  }
  return removed;
}

std::string followed(const std::string& path) {
  if (simulated_disk() != nullptr) return path;
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real != nullptr ? std::string(real.get()) : path;
}

std::string random_letters() {
  if (simulated_files* const there = simulated_disk()) return there->unused_letters();
  static constexpr char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  unsigned char noise[10];
  if (::getrandom(noise, sizeof noise, 0) != static_cast<ssize_t>(sizeof noise))
    throw std::system_error(errno, std::generic_category(), "random numbers of the system");
  std::string made;
  for (const unsigned char each : noise) made += letters[each % (sizeof letters - 1)];
  return made;
}

std::string temporary_place() {
  const char* const set = simulated_disk() == nullptr ? std::getenv("TMPDIR") : nullptr;
  return set != nullptr && *set != '\0' ? set : "/tmp";
}

// --- directories ------------------------------------------------------------------------------------------------------

namespace {

class system_listing final : public listing {
 public:
  explicit system_listing(DIR* owned) noexcept : entries_(owned) {}
  ~system_listing() override { ::closedir(entries_); }

  bool next(entry& into) override {
    for (;;) {
      errno = 0;
      const dirent* const each = ::readdir(entries_);
      if (each == nullptr) return false;
      into.name = each->d_name;
      if (into.name == "." || into.name == "..") continue;
      into.mode = DTTOIF(each->d_type);
      struct stat about{};
      // Some file systems do not say it here.
      if (each->d_type == DT_UNKNOWN)
        into.mode = ::fstatat(::dirfd(entries_), each->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0
                        ? about.st_mode
                        : 0;
      return true;
    }
  }

 private:
  DIR* entries_;
};

/// What there was when it was opened.
class simulated_listing final : public listing {
 public:
  explicit simulated_listing(std::vector<std::pair<std::string, mode_t>> found) noexcept
      : found_(std::move(found)) {}

  bool next(entry& into) override {
    errno = 0;
    if (at_ == found_.size()) return false;
    into = {found_[at_].first, found_[at_].second};
    ++at_;
    return true;
  }

 private:
  std::vector<std::pair<std::string, mode_t>> found_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<listing> list(const std::string& path) {
  if (simulated_files* const there = simulated_disk()) {
    std::vector<std::pair<std::string, mode_t>> found;
    if (there->list(path, found) != 0) return nullptr;
    return std::make_unique<simulated_listing>(std::move(found));
  }
  DIR* const opened = ::opendir(path.c_str());
  return opened != nullptr ? std::make_unique<system_listing>(opened) : nullptr;
}

}  // namespace files
}  // namespace troupe::io::internal
