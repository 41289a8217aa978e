#include <troupe/io/testing/disk.hpp>

#include <troupe/io/testing/internal/simulated_disks.hpp>
#include <troupe/runtime/errors.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::testing {

using internal::simulated_disk;
using internal::simulated_disks;
using internal::simulated_inode;

namespace {

simulation& current() {
  simulation* const here = simulation::current();
  if (here == nullptr)
    throw invalid_state("a simulated disk was made where there is no simulation");
  return *here;
}

const disk_options& checked(const disk_options& options) {
  if (options.sector == 0)
    throw std::invalid_argument("the sectors of a simulated disk need a size");
  if (options.latency < duration::zero())
    throw std::invalid_argument("the latency of a simulated disk cannot be negative");
  return options;
}

[[noreturn]] void refuse(int error, std::string_view doing, std::string_view path) {
  throw std::system_error(error, std::generic_category(),
                          std::string(doing) + " '" + std::string(path) + "' of a simulated disk");
}

/// Where that is on this disk. Errors: std::invalid_argument when it is on another.
simulated_disk::path within(const simulated_disk& mine, std::string_view path) {
  simulated_disk::path there;
  const auto found = simulated_disks::of(current()).find(simulated_disks::parse(path), there);
  if (found.get() != &mine)
    throw std::invalid_argument("'" + std::string(path) +
                                "' is not on this simulated disk, which is at '" + mine.mounted_at +
                                "'");
  return there;
}

void list_below(const simulated_inode& directory, const std::string& path,
                std::vector<std::string>& found) {
  for (const auto& [name, each] : directory.entries) {
    const std::string full = path + name;
    found.push_back(each->is_directory ? full + "/" : full);
    if (each->is_directory) list_below(*each, full + "/", found);
  }
}

}  // namespace

disk::disk(const disk_options& options) : disk(current(), options) {}
disk::disk(simulation& world, const disk_options& options)
    : core_(simulated_disks::of(world).add(world, checked(options))) {}

void disk::put(std::string_view path, std::string_view content, unsigned permissions) {
  const simulated_disk::path where = within(*core_, path);
  if (where.empty()) refuse(EISDIR, "putting", path);
  core_->put(where, content, permissions, false);
}

void disk::put_directory(std::string_view path) {
  core_->put(within(*core_, path), {}, 0755, true);
}

std::string disk::text(std::string_view path) const {
  int error = 0;
  const internal::inode_ref found = core_->find(within(*core_, path), error);
  if (error == 0 && found->is_directory) error = EISDIR;
  if (error != 0) refuse(error, "the text of", path);
  core_->touched(false);
  return found->content;
}

bool disk::exists(std::string_view path) const {
  int error = 0;
  core_->touched(false);
  return core_->find(within(*core_, path), error) != nullptr;
}

std::vector<std::string> disk::list(std::string_view path) const {
  int error = 0;
  const internal::inode_ref found = core_->find(within(*core_, path), error);
  if (error == 0 && !found->is_directory) error = ENOTDIR;
  if (error != 0) refuse(error, "listing", path);
  core_->touched(false);
  std::vector<std::string> all;
  std::string begin = "/";
  for (const std::string& each : simulated_disks::parse(path)) begin += each + "/";
  list_below(*found, begin, all);
  return all;
}

std::uint64_t disk::used() const noexcept { return core_->used(); }

void disk::fail(operation what, std::error_code why, std::string_view path, std::size_t times) {
  if (why.category() != std::generic_category() && why.category() != std::system_category())
    throw std::invalid_argument("calls on a simulated disk fail with errors of the system's only");
  core_->fail(what, why.value(), path.empty() ? simulated_disk::path() : within(*core_, path),
              times);
}

void disk::set_capacity(std::uint64_t bytes) {
  core_->touched();
  core_->options.capacity = bytes;
}

void disk::set_latency(duration of_each_call) {
  core_->touched();
  core_->options.latency = of_each_call;
}

void disk::cut_power() { core_->cut_power(); }
void disk::restart() { core_->restart(); }
bool disk::is_off() const noexcept { return core_->is_off(); }
const disk_traffic& disk::traffic() const noexcept { return core_->traffic; }

}  // namespace troupe::testing
