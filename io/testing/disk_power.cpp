// What is sure on a simulated disk, and what a power cut leaves of what is not. Which outcomes there can be follows what Pillai and others
// found of file systems ("All File Systems Are Not Created Equal", OSDI 2014) and Rebello and others of failed flushes ("Can Applications
// Recover from fsync Failures?", ATC 2020).
#include <troupe/io/testing/internal/simulated_disk.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace troupe::testing::internal {

namespace {

enum survival : std::size_t {
  nothing,
  everything,
  a_beginning,  ///< that ends within a change
  some
};

}  // namespace

std::size_t simulated_disk::sectors_of(const pending_change& change) const noexcept {
  if (change.resizes || change.written.empty()) return 1;
  const std::uint64_t first = change.offset / options.sector;
  const std::uint64_t last = (change.offset + change.written.size() - 1) / options.sector;
  return static_cast<std::size_t>(last - first + 1);
}

/// Does so many sectors of it.
void simulated_disk::keep(std::string& content, const pending_change& change,
                          std::size_t sectors) const {
  if (sectors == 0) return;
  if (change.resizes) return content.resize(change.offset, '\0');
  const std::uint64_t boundary = (change.offset / options.sector + sectors) * options.sector;
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(change.written.size(), boundary - change.offset));
  if (content.size() < change.offset + size) content.resize(change.offset + size, '\0');
  content.replace(change.offset, size, change.written, 0, size);
}

int simulated_disk::flush(const inode_ref& which) {
  if (const int error = begin(operation::flush, which, {})) {
    // It is taken for written from now on, and is not.
    if (!off_) which->pending.clear();
    return error;
  }
  ++traffic.flushes;
  if (power_goes()) return EIO;
  for (const pending_change& each : which->pending) keep(which->sure, each, sectors_of(each));
  which->pending.clear();
  make_sure_of(which);
  return power_goes() ? EIO : 0;
}

/// All changes of names up to the last that concerns it.
void simulated_disk::make_sure_of(const inode_ref& which) {
  std::size_t changes = name_changes_.size();
  while (changes != 0 && !name_changes_[changes - 1].concerns(which)) --changes;
  make_sure(changes);
}

/// So many of the changes of names.
void simulated_disk::make_sure(std::size_t changes) {
  for (std::size_t index = 0; index < changes; ++index) {
    for (const name_change::entry& each : name_changes_[index].entries) {
      if (each.now != nullptr) {
        each.directory->sure_entries[each.name] = each.now;
      } else {
        each.directory->sure_entries.erase(each.name);
      }
    }
  }
  name_changes_.erase(name_changes_.begin(),
                      name_changes_.begin() + static_cast<std::ptrdiff_t>(changes));
}

bool simulated_disk::power_goes() {
  if (power_cuts_left_ == 0 || world_.choose(2, choice::kind::fault) == 0) return false;
  --power_cuts_left_;
  cut_power();
  return true;
}

void simulated_disk::cut_power() {
  touched();
  if (off_) return;
  off_ = true;
  ++life_;
  ++traffic.power_cuts;
  full_at_next_write_ = false;
  note("disk: the power is cut");
  if (!name_changes_.empty()) make_sure(world_.choose(name_changes_.size() + 1));
  name_changes_.clear();
  used_ = 0;
  take_inventory(*root_);
}

/// What is there now is what was sure, and what of the rest has come through.
void simulated_disk::take_inventory(simulated_inode& directory) {
  directory.entries = directory.sure_entries;
  directory.linked = true;
  directory.opened = 0;
  for (auto& [name, each] : directory.entries) {
    if (each->is_directory) {
      take_inventory(*each);
      continue;
    }
    each->linked = true;
    each->opened = 0;
    survive(*each);
    used_ += each->content.size();
  }
}

void simulated_disk::survive(simulated_inode& file) {
  const auto& pending = file.pending;
  if (!pending.empty()) {
    const bool divides = pending.size() > 1 || sectors_of(pending[0]) > 1;
    const std::size_t kinds = pending.size() > 1 ? 4 : divides ? 3 : 2;
    std::size_t first = 0;  // so many as a whole
    switch (world_.choose(kinds)) {
      case nothing:
        break;
      case everything:
        for (const pending_change& each : pending) keep(file.sure, each, sectors_of(each));
        break;
      case a_beginning:
        first = pending.size() > 1 ? world_.choose(pending.size()) : 0;
        for (std::size_t index = 0; index < first; ++index)
          keep(file.sure, pending[index], sectors_of(pending[index]));
        keep(file.sure, pending[first], world_.choose(sectors_of(pending[first]) + 1));
        break;
      default:
        for (const pending_change& each : pending)
          if (world_.choose(2) != 0) keep(file.sure, each, sectors_of(each));
    }
  }
  file.pending.clear();
  file.content = file.sure;
}

void simulated_disk::restart() {
  cut_power();
  off_ = false;
  note("disk: it is on again");
}

// --- commands ---------------------------------------------------------------------------------------------------------

void simulated_disk::put(const path& where, std::string_view content, unsigned permissions,
                         bool directory) {
  touched();
  inode_ref at = root_;
  for (std::size_t index = 0; index < where.size(); ++index) {
    const bool last = index + 1 == where.size();
    make_sure_of(at);
    const auto known = at->entries.find(where[index]);
    if (known == at->entries.end()) {
      const bool makes_file = last && !directory;
      inode_ref made = make(!makes_file, makes_file ? permissions : 0755);
      made->linked = true;
      made->name = where[index];
      at->entries[where[index]] = made;
      at->sure_entries[where[index]] = made;
      at = std::move(made);
    } else {
      at = known->second;
    }
    if (at->is_directory == (last && !directory))
      throw std::system_error(at->is_directory ? EISDIR : ENOTDIR, std::generic_category(),
                              "putting a file on a simulated disk");
  }
  if (directory) return;
  used_ += content.size();
  used_ -= at->content.size();
  at->permissions = permissions & 07777;
  at->content = content;
  at->sure = content;
  at->pending.clear();
}

}  // namespace troupe::testing::internal
