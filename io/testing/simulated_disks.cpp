#include <troupe/io/testing/internal/simulated_disks.hpp>

#include <troupe/io/testing/internal/virtual_socket.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/simulator.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace troupe::testing::internal {

namespace {
int answer(int error) noexcept { return error != 0 ? refuse(error) : 0; }
}  // namespace

// --- where they are ---------------------------------------------------------------------------------------------------

simulated_disks& simulated_disks::of(simulation& world) {
  troupe::internal::simulator& loops = world.seen_by_loops();
  if (auto* const there = loops.stand_in<io::internal::simulated_files>())
    return static_cast<simulated_disks&>(*there);
  const auto made = std::make_shared<simulated_disks>();
  loops.set_stand_in<io::internal::simulated_files>(made);
  return *made;
}

std::shared_ptr<simulated_disk> simulated_disks::add(simulation& world,
                                                     const disk_options& options) {
  path at = parse(options.at);
  for (const mount& each : mounts_)
    if (each.at == at)
      throw invalid_state("a simulation has a disk at '" + std::string(options.at) + "' already");
  const auto made = std::make_shared<simulated_disk>(world, options, mounts_.size() + 1);
  if (at.empty()) made->put({"tmp"}, {}, 0, true);
  mounts_.push_back({std::move(at), made});
  return made;
}

simulated_disks::path simulated_disks::parse(std::string_view text) {
  path found;
  while (!text.empty()) {
    const std::size_t slash = text.find('/');
    const std::string_view name = text.substr(0, slash);
    if (name == "..") {
      if (!found.empty()) found.pop_back();
    } else if (!name.empty() && name != ".") {
      found.emplace_back(name);
    }
    text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
  }
  return found;
}

std::shared_ptr<simulated_disk> simulated_disks::find(path where, path& there) const {
  const mount* best = nullptr;
  for (const mount& each : mounts_) {
    const bool inside =
        each.at.size() <= where.size() && std::equal(each.at.begin(), each.at.end(), where.begin());
    if (inside && (best == nullptr || each.at.size() > best->at.size())) best = &each;
  }
  if (best == nullptr) return nullptr;
  where.erase(where.begin(), where.begin() + static_cast<std::ptrdiff_t>(best->at.size()));
  there = std::move(where);
  return best->disk;
}

template <class Call>
int simulated_disks::at(const std::string& name, Call call) {
  path where;
  const auto on = name.empty() ? nullptr : find(parse(name), where);
  return on != nullptr ? answer(call(*on, where)) : refuse(ENOENT);
}

// --- files that are open ----------------------------------------------------------------------------------------------

simulated_disks::opened* simulated_disks::find(int file) noexcept {
  const auto index = static_cast<std::size_t>(file - first_number);
  if (index >= files_.size() || files_[index].on == nullptr) {
    errno = EBADF;
    return nullptr;
  }
  opened& found = files_[index];
  if (found.life == found.on->life()) return &found;
  errno = EIO;  // its disk was without power since
  return nullptr;
}

int simulated_disks::open(const std::string& name, int flags, unsigned permissions) {
  opened made;
  path where;
  made.on = name.empty() ? nullptr : find(parse(name), where);
  if (made.on == nullptr) return refuse(ENOENT);
  if (const int error = made.on->open(where, flags, permissions, made.what)) return refuse(error);
  made.on->opened(made.what);
  made.life = made.on->life();
  made.flags = flags;
  // The lowest that is free, as the system has it.
  const auto free = std::find_if(files_.begin(), files_.end(),
                                 [](const opened& each) { return each.on == nullptr; });
  const auto index = free - files_.begin();
  if (free == files_.end()) {
    files_.push_back(std::move(made));
  } else {
    *free = std::move(made);
  }
  return first_number + static_cast<int>(index);
}

int simulated_disks::close(int file) {
  const auto index = static_cast<std::size_t>(file - first_number);
  if (index >= files_.size() || files_[index].on == nullptr) return refuse(EBADF);
  const opened gone = std::exchange(files_[index], {});
  gone.on->touched();
  if (gone.life == gone.on->life()) gone.on->closed(gone.what);
  return 0;
}

ssize_t simulated_disks::read(int file, std::span<std::byte> into, off_t offset) {
  opened* const found = find(file);
  if (found == nullptr) return -1;
  if ((found->flags & O_ACCMODE) == O_WRONLY) return refuse(EBADF);
  std::size_t done = 0;
  const std::uint64_t from = offset < 0 ? found->position : static_cast<std::uint64_t>(offset);
  if (const int error = found->on->read(found->what, from, into, done)) return refuse(error);
  if (offset < 0) found->position += done;
  return static_cast<ssize_t>(done);
}

ssize_t simulated_disks::write(int file, std::span<const std::byte> from, off_t offset) {
  opened* const found = find(file);
  if (found == nullptr) return -1;
  if ((found->flags & O_ACCMODE) == O_RDONLY) return refuse(EBADF);
  std::size_t done = 0;
  const bool at_end = offset < 0 || (found->flags & O_APPEND) != 0;
  const auto to = static_cast<std::uint64_t>(std::max<off_t>(offset, 0));
  if (const int error = found->on->write(found->what, to, at_end, from, done)) return refuse(error);
  return static_cast<ssize_t>(done);
}

int simulated_disks::flush(int file) {
  opened* const found = find(file);
  return found != nullptr ? answer(found->on->flush(found->what)) : -1;
}

int simulated_disks::resize(int file, off_t size) {
  opened* const found = find(file);
  if (found == nullptr) return -1;
  if ((found->flags & O_ACCMODE) == O_RDONLY || size < 0) return refuse(EINVAL);
  return answer(found->on->resize(found->what, static_cast<std::uint64_t>(size)));
}

int simulated_disks::set_permissions(int file, mode_t permissions) {
  opened* const found = find(file);
  if (found == nullptr) return -1;
  found->on->set_permissions(found->what, permissions);
  return 0;
}

int simulated_disks::look(int file, struct stat& about) {
  opened* const found = find(file);
  return found != nullptr ? answer(found->on->look(found->what, about)) : -1;
}

// --- names ------------------------------------------------------------------------------------------------------------

int simulated_disks::look(const std::string& name, struct stat& about) {
  return at(name, [&](simulated_disk& on, const path& where) { return on.look(where, about); });
}

int simulated_disks::remove(const std::string& name) {
  return at(name, [&](simulated_disk& on, const path& where) { return on.remove(where); });
}

int simulated_disks::rename(const std::string& from, const std::string& to) {
  return at(from, [&](simulated_disk& on, const path& where) {
    path target;
    const auto other = to.empty() ? nullptr : find(parse(to), target);
    if (other == nullptr) return ENOENT;
    return other.get() == &on ? on.rename(where, target) : EXDEV;
  });
}

int simulated_disks::make_directory(const std::string& name, mode_t permissions) {
  return at(name, [&](simulated_disk& on, const path& where) {
    return on.make_directory(where, permissions);
  });
}

int simulated_disks::list(const std::string& name,
                          std::vector<std::pair<std::string, mode_t>>& found) {
  return at(name, [&](simulated_disk& on, const path& where) { return on.list(where, found); });
}

// --- the rest ---------------------------------------------------------------------------------------------------------

std::string simulated_disks::unused_letters() {
  std::string made(10, 'a');
  std::uint64_t left = names_++;
  for (auto each = made.rbegin(); each != made.rend(); ++each, left /= 26)
    *each = static_cast<char>('a' + left % 26);
  return made;
}

duration simulated_disks::latency() const noexcept {
  duration longest = duration::zero();
  for (const mount& each : mounts_) longest = std::max(longest, each.disk->options.latency);
  return longest;
}

}  // namespace troupe::testing::internal
