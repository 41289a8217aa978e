#pragma once

#include <troupe/io/internal/simulated_files.hpp>
#include <troupe/io/testing/internal/simulated_disk.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing::internal {

/// The disks of a simulation by where they are, and the files that are open.
class simulated_disks final : public io::internal::simulated_files {
 public:
  using path = simulated_disk::path;
  /// Those of that simulation, which has some from then on.
  static simulated_disks& of(simulation& world);

  /// Errors: `invalid_state` when there is one.
  std::shared_ptr<simulated_disk> add(simulation& world, const disk_options& options);
  /// Names from the root on, without "." and "..".
  static path parse(std::string_view text);
  /// On which disk that is, and where there; null where there is none.
  std::shared_ptr<simulated_disk> find(path where, path& there) const;

  int open(const std::string& name, int flags, unsigned permissions) override;
  int close(int file) override;
  ssize_t read(int file, std::span<std::byte> into, off_t offset) override;
  ssize_t write(int file, std::span<const std::byte> from, off_t offset) override;
  int flush(int file) override;
  int resize(int file, off_t size) override;
  int set_permissions(int file, mode_t permissions) override;
  int look(int file, struct stat& about) override;
  int look(const std::string& name, struct stat& about) override;
  int remove(const std::string& name) override;
  int rename(const std::string& from, const std::string& to) override;
  int make_directory(const std::string& name, mode_t permissions) override;
  int list(const std::string& name, std::vector<std::pair<std::string, mode_t>>& found) override;
  std::string unused_letters() override;
  duration latency() const noexcept override;

 private:
  struct mount {
    path at;
    std::shared_ptr<simulated_disk> disk;
  };
  struct opened {
    std::shared_ptr<simulated_disk> on;  ///< null: closed
    inode_ref what;
    std::uint64_t life = 0;
    int flags = 0;
    std::uint64_t position = 0;
  };
  /// Null with errno.
  opened* find(int file) noexcept;
  /// Makes a call with what is at that name.
  template <class Call>
  int at(const std::string& name, Call call);

  std::vector<mount> mounts_;
  std::vector<opened> files_;  ///< by their numbers
  std::uint64_t names_ = 0;
};

}  // namespace troupe::testing::internal
