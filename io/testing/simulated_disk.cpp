// The calls of one file system. What a power cut leaves of it is in disk_power.cpp.
#include <troupe/io/testing/internal/simulated_disk.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace troupe::testing::internal {

namespace {

constexpr std::size_t longest_name = 255;
constexpr unsigned may_read = 0400;
constexpr unsigned may_write = 0200;

std::string text_of(const simulated_disk::path& where) {
  std::string made;
  for (const std::string& each : where) made += "/" + each;
  return made.empty() ? "/" : made;
}

}  // namespace

simulated_disk::simulated_disk(simulation& world, const disk_options& wanted, std::uint64_t number)
    : mounted_at(wanted.at),
      options(wanted),
      world_(world),
      object_(world.number_object()),
      number_(number),
      faults_left_(wanted.faults),
      power_cuts_left_(wanted.power_cuts),
      root_(make(true, 0755)) {
  options.at = {};
  root_->linked = true;
}

inode_ref simulated_disk::make(bool directory, unsigned permissions) {
  auto made = std::make_shared<simulated_inode>();
  made->number = ++inodes_;
  made->is_directory = directory;
  made->permissions = permissions & 07777;
  made->modified = world_.time();
  return made;
}

// --- names ------------------------------------------------------------------------------------------------------------

int simulated_disk::walk(const path& where, place& found) const {
  found = {nullptr, {}, root_};
  for (std::size_t index = 0; index < where.size(); ++index) {
    if (found.there == nullptr) return ENOENT;
    if (!found.there->is_directory) return ENOTDIR;
    if (where[index].size() > longest_name) return ENAMETOOLONG;
    found.directory = std::move(found.there);
    found.name = where[index];
    const auto known = found.directory->entries.find(found.name);
    found.there = known != found.directory->entries.end() ? known->second : nullptr;
  }
  return 0;
}

inode_ref simulated_disk::find(const path& where, int& error) const {
  place found;
  error = walk(where, found);
  if (error == 0 && found.there == nullptr) error = ENOENT;
  return error == 0 ? found.there : nullptr;
}

bool name_change::concerns(const inode_ref& what) const noexcept {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const entry& each) { return each.directory == what || each.now == what; });
}

void simulated_disk::set_entry(const name_change::entry& entry) {
  auto& all = entry.directory->entries;
  entry.directory->modified = world_.time();
  const auto known = all.find(entry.name);
  if (known != all.end()) {
    const inode_ref before = known->second;
    before->linked = false;
    if (entry.now == nullptr) all.erase(known);
    // What goes to another name at the same time is given back there.
    if (before->opened == 0) used_ -= before->content.size();
  }
  if (entry.now == nullptr) return;
  all[entry.name] = entry.now;
  entry.now->name = entry.name;
  if (!std::exchange(entry.now->linked, true) && entry.now->opened == 0)
    used_ += entry.now->content.size();
}

void simulated_disk::change_names(std::vector<name_change::entry> entries) {
  for (const auto& each : entries) set_entry(each);
  name_changes_.push_back({std::move(entries)});
}

void simulated_disk::closed(const inode_ref& which) noexcept {
  if (--which->opened == 0 && !which->linked) used_ -= which->content.size();
}

// --- what goes wrong --------------------------------------------------------------------------------------------------

std::size_t simulated_disk::fault(std::size_t kinds) {
  if (faults_left_ == 0) return 0;
  const std::size_t answer = world_.choose(kinds + 1, choice::kind::fault);
  if (answer != 0) --faults_left_;
  return answer;
}

int simulated_disk::awaited(operation what, const inode_ref& which, const path& where) {
  for (awaited_failure& each : awaited_) {
    if (each.left == 0 || (each.what != what && each.what != operation::any)) continue;
    int unknown = 0;
    const bool same = where.empty() ? which == find(each.where, unknown) : where == each.where;
    if (!each.where.empty() && !same) continue;
    --each.left;
    return each.error;
  }
  return 0;
}

/// Whether a call may go on. Returns 0 or the error it has.
int simulated_disk::begin(operation what, const inode_ref& which, const path& where) {
  touched(what == operation::write || what == operation::flush || what == operation::change);
  if (off_) return EIO;
  int error = awaited(what, which, where);
  if (error == 0 && (what == operation::read || what == operation::flush) && fault(1) != 0)
    error = EIO;
  if (error == 0 && what == operation::change && fault(1) != 0) error = ENOSPC;
  if (error == 0) return 0;
  ++traffic.failed;
  const std::string name = where.empty() && which ? which->name : text_of(where);
  note("disk: a call on " + name + " fails: " + std::strerror(error));
  return error;
}

void simulated_disk::fail(operation what, int error, const path& where, std::size_t times) {
  touched();
  awaited_.push_back({what, where, error, times});
}

// --- content ----------------------------------------------------------------------------------------------------------

int simulated_disk::open(const path& where, int flags, unsigned permissions, inode_ref& found) {
  const int access = flags & O_ACCMODE;
  const bool writes = access != O_RDONLY;
  place at;
  touched(false);
  if (off_) return EIO;
  if (const int error = walk(where, at)) return error;
  if (const int error = begin(operation::open, at.there, where)) return error;
  if (at.there == nullptr) {
    if ((flags & O_CREAT) == 0) return ENOENT;
    if ((at.directory->permissions & may_write) == 0) return EACCES;
    if (const int error = begin(operation::change, at.there, where)) return error;
    found = make(false, permissions);
    note("disk: " + text_of(where) + " is made");
    change_names({{at.directory, at.name, found}});
    return power_goes() ? EIO : 0;
  }
  if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return EEXIST;
  if (at.there->is_directory && writes) return EISDIR;
  if (!at.there->is_directory && (flags & O_DIRECTORY) != 0) return ENOTDIR;
  if (access != O_WRONLY && (at.there->permissions & may_read) == 0) return EACCES;
  if (writes && (at.there->permissions & may_write) == 0) return EACCES;
  found = at.there;
  return writes && (flags & O_TRUNC) != 0 ? resize(found, 0) : 0;
}

int simulated_disk::read(const inode_ref& from, std::uint64_t offset, std::span<std::byte> into,
                         std::size_t& done) {
  if (const int error = begin(operation::read, from, {})) return error;
  if (from->is_directory) return EISDIR;
  const std::string& all = from->content;
  done = offset < all.size() ? std::min<std::size_t>(into.size(), all.size() - offset) : 0;
  if (done != 0) std::memcpy(into.data(), all.data() + offset, done);
  ++traffic.reads;
  traffic.read += done;
  return 0;
}

int simulated_disk::write(const inode_ref& to, std::uint64_t offset, bool at_end,
                          std::span<const std::byte> what, std::size_t& done) {
  if (const int error = begin(operation::write, to, {})) return error;
  if (at_end) offset = to->content.size();
  std::uint64_t most = what.size();
  const std::uint64_t room = options.capacity - std::min(options.capacity, used_);
  const std::uint64_t end = offset + most;
  if (end > to->content.size() && end - to->content.size() > room)
    most -= std::min(most, end - to->content.size() - room);
  const std::size_t goes_wrong = fault(2);
  if (goes_wrong == 1) {
    ++traffic.failed;
    note("disk: a write to " + to->name + " fails");
    return EIO;
  }
  // Half of it is taken, and the next write says why.
  if (goes_wrong == 2) most /= 2;
  const bool full = std::exchange(full_at_next_write_, goes_wrong == 2);
  if (full || (most == 0 && !what.empty())) {
    full_at_next_write_ = false;
    ++traffic.failed;
    note("disk: no space is left for " + to->name);
    return ENOSPC;
  }
  done = static_cast<std::size_t>(most);
  return overwrite(to, offset, what.first(done));
}

int simulated_disk::overwrite(const inode_ref& to, std::uint64_t offset,
                              std::span<const std::byte> what) {
  ++traffic.writes;
  traffic.written += what.size();
  to->modified = world_.time();
  if (what.empty()) return 0;
  pending_change change{
      offset, std::string(reinterpret_cast<const char*>(what.data()), what.size()), false};
  const std::size_t before = to->content.size();
  keep(to->content, change, sectors_of(change));
  used_ += to->content.size() - before;
  to->pending.push_back(std::move(change));
  return power_goes() ? EIO : 0;
}

int simulated_disk::resize(const inode_ref& which, std::uint64_t size) {
  if (const int error = begin(operation::write, which, {})) return error;
  if (which->is_directory) return EINVAL;
  if (size > options.capacity) return EFBIG;
  pending_change change{size, {}, true};
  which->modified = world_.time();
  used_ -= which->content.size();
  keep(which->content, change, 1);
  used_ += which->content.size();
  which->pending.push_back(std::move(change));
  return power_goes() ? EIO : 0;
}

int simulated_disk::look(const inode_ref& which, struct stat& about) {
  touched(false);
  if (off_) return EIO;
  about = {};
  about.st_dev = number_;
  about.st_ino = which->number;
  about.st_mode = (which->is_directory ? S_IFDIR : S_IFREG) | which->permissions;
  about.st_nlink = which->linked ? 1 : 0;
  about.st_size = static_cast<off_t>(which->content.size());
  const auto age = which->modified.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(age);
  about.st_mtim.tv_sec = seconds.count();
  about.st_mtim.tv_nsec =
      std::chrono::duration_cast<std::chrono::nanoseconds>(age - seconds).count();
  return 0;
}

int simulated_disk::look(const path& where, struct stat& about) {
  touched(false);
  if (off_) return EIO;
  int error = 0;
  const inode_ref found = find(where, error);
  return error != 0 ? error : look(found, about);
}

void simulated_disk::set_permissions(const inode_ref& which, unsigned permissions) {
  touched();
  which->permissions = permissions & 07777;
}

// --- changes of names -------------------------------------------------------------------------------------------------

int simulated_disk::remove(const path& where) {
  place at;
  if (const int error = walk(where, at)) return off_ ? EIO : error;
  if (const int error = begin(operation::change, at.there, where)) return error;
  if (at.there == nullptr) return ENOENT;
  if (at.directory == nullptr) return EBUSY;
  if (!at.there->entries.empty()) return ENOTEMPTY;
  if ((at.directory->permissions & may_write) == 0) return EACCES;
  note("disk: " + text_of(where) + " is removed");
  change_names({{at.directory, at.name, nullptr}});
  return power_goes() ? EIO : 0;
}

int simulated_disk::rename(const path& from, const path& to) {
  place source;
  place target;
  if (const int error = walk(from, source)) return off_ ? EIO : error;
  if (const int error = walk(to, target)) return off_ ? EIO : error;
  if (const int error = begin(operation::change, source.there, from)) return error;
  if (source.there == nullptr) return ENOENT;
  if (source.directory == nullptr || target.directory == nullptr) return EBUSY;
  if (source.there == target.there) return 0;
  if (to.size() > from.size() && std::equal(from.begin(), from.end(), to.begin())) return EINVAL;
  if (from.size() > to.size() && std::equal(to.begin(), to.end(), from.begin())) return ENOTEMPTY;
  if (target.there != nullptr) {
    if (target.there->is_directory && !source.there->is_directory) return EISDIR;
    if (!target.there->is_directory && source.there->is_directory) return ENOTDIR;
    if (!target.there->entries.empty()) return ENOTEMPTY;
  }
  if ((source.directory->permissions & target.directory->permissions & may_write) == 0)
    return EACCES;
  note("disk: " + text_of(from) + " becomes " + text_of(to));
  change_names(
      {{source.directory, source.name, nullptr}, {target.directory, target.name, source.there}});
  return power_goes() ? EIO : 0;
}

int simulated_disk::make_directory(const path& where, unsigned permissions) {
  place at;
  if (const int error = walk(where, at)) return off_ ? EIO : error;
  if (const int error = begin(operation::change, at.there, where)) return error;
  if (at.there != nullptr) return EEXIST;
  if ((at.directory->permissions & may_write) == 0) return EACCES;
  change_names({{at.directory, at.name, make(true, permissions)}});
  return power_goes() ? EIO : 0;
}

int simulated_disk::list(const path& where, std::vector<std::pair<std::string, mode_t>>& found) {
  touched(false);
  if (off_) return EIO;
  int error = 0;
  const inode_ref there = find(where, error);
  if (error != 0) return error;
  if (!there->is_directory) return ENOTDIR;
  for (const auto& [name, each] : there->entries)
    found.emplace_back(name, each->is_directory ? S_IFDIR : S_IFREG);
  return 0;
}

}  // namespace troupe::testing::internal
