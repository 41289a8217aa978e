#pragma once

#include <troupe/io/testing/disk.hpp>
#include <troupe/io/testing/internal/outside_story.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::testing::internal {

/// What was done to the content of a file and is not sure.
struct pending_change {
  std::uint64_t offset = 0;
  std::string written;
  bool resizes = false;  ///< to `offset`
};

/// A file or directory.
struct simulated_inode {
  std::uint64_t number = 0;
  std::string name;  ///< its last one, for who looks at the run
  bool is_directory = false;
  bool linked = false;
  std::size_t opened = 0;
  unsigned permissions = 0;
  time_point modified{};
  // Of a file.
  std::string content;
  std::string sure;                     ///< at the last flush
  std::vector<pending_change> pending;  ///< since
  // Of a directory.
  std::map<std::string, std::shared_ptr<simulated_inode>, std::less<>> entries;
  std::map<std::string, std::shared_ptr<simulated_inode>, std::less<>> sure_entries;
};
using inode_ref = std::shared_ptr<simulated_inode>;

/// Names that change at once.
struct name_change {
  struct entry {
    inode_ref directory;
    std::string name;
    inode_ref now;  ///< null: none
  };
  std::vector<entry> entries;
  bool concerns(const inode_ref& what) const noexcept;
};

/// What is behind a `disk`: one file system. Its calls return 0, or an error of the system's.
/// Nothing in it goes by addresses of memory. Paths are within it: names, from its root on.
class simulated_disk {
 public:
  using path = std::vector<std::string>;
  using operation = disk::operation;

  simulated_disk(simulation& world, const disk_options& options, std::uint64_t number);

  // --- the system's calls
  int open(const path& where, int flags, unsigned permissions, inode_ref& found);
  int read(const inode_ref& from, std::uint64_t offset, std::span<std::byte> into,
           std::size_t& done);
  /// At the end where `at_end`.
  int write(const inode_ref& to, std::uint64_t offset, bool at_end, std::span<const std::byte> what,
            std::size_t& done);
  int resize(const inode_ref& which, std::uint64_t size);
  int flush(const inode_ref& which);
  int look(const inode_ref& which, struct stat& about);
  int look(const path& where, struct stat& about);
  int remove(const path& where);
  int rename(const path& from, const path& to);
  int make_directory(const path& where, unsigned permissions);
  int list(const path& where, std::vector<std::pair<std::string, mode_t>>& found);
  void set_permissions(const inode_ref& which, unsigned permissions);
  void opened(const inode_ref& which) noexcept { ++which->opened; }
  void closed(const inode_ref& which) noexcept;

  // --- commands
  void put(const path& where, std::string_view content, unsigned permissions, bool directory);
  inode_ref find(const path& where, int& error) const;
  const inode_ref& root() const noexcept { return root_; }
  void fail(operation what, int error, const path& where, std::size_t times);
  void cut_power();
  void restart();
  bool is_off() const noexcept { return off_; }
  /// Changes with each power cut: what was opened before is of no use.
  std::uint64_t life() const noexcept { return life_; }
  std::uint64_t used() const noexcept { return used_; }

  const std::string mounted_at;
  disk_options options;  ///< but for `at`
  disk_traffic traffic;
  void touched(bool changes = true) { world_.touch(object_, changes); }
  void note(std::string_view what) {
    if (story_ != nullptr) story_->note(world_.time(), what);
  }

 private:
  struct awaited_failure {
    operation what;
    path where;  ///< empty: any
    int error;
    std::size_t left;
  };
  struct place {
    inode_ref directory;
    std::string name;
    inode_ref there;  ///< null: nothing
  };

  inode_ref make(bool directory, unsigned permissions);
  int walk(const path& where, place& found) const;
  int begin(operation what, const inode_ref& which, const path& where);
  int awaited(operation what, const inode_ref& which, const path& where);
  /// 0, or which of `kinds` faults is to happen.
  std::size_t fault(std::size_t kinds);
  /// Whether the power goes now: then what was begun fails.
  bool power_goes();
  void change_names(std::vector<name_change::entry> entries);
  void set_entry(const name_change::entry& entry);
  void make_sure(std::size_t changes);
  void make_sure_of(const inode_ref& which);
  int overwrite(const inode_ref& to, std::uint64_t offset, std::span<const std::byte> what);
  void survive(simulated_inode& file);
  void keep(std::string& content, const pending_change& change, std::size_t sectors) const;
  std::size_t sectors_of(const pending_change& change) const noexcept;
  void take_inventory(simulated_inode& directory);

  simulation& world_;
  outside_story* story_ = outside_story::current();
  std::uint64_t object_;
  std::uint64_t number_;
  std::uint64_t inodes_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t life_ = 1;
  std::size_t faults_left_;
  std::size_t power_cuts_left_;
  bool full_at_next_write_ = false;
  bool off_ = false;
  inode_ref root_;
  std::vector<name_change> name_changes_;  ///< that are not sure, in their order
  std::vector<awaited_failure> awaited_;
};

}  // namespace troupe::testing::internal
