#pragma once

#include <troupe/runtime/testing/simulation.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace troupe::testing {

namespace internal {
class simulated_disk;
}

struct disk_options {
  std::string_view at =
      "/";  ///< the directory that is its root; a disk in another one's place hides that
  std::uint64_t capacity = std::uint64_t{1} << 30;  ///< bytes of content, of all its files
  /// How many things the oracle may have go wrong in a run: a read, write or flush that fails, a disk that is full.
  std::size_t faults = 0;
  /// How often the oracle may cut its power: at any change, which is then half made.
  std::size_t power_cuts = 0;
  std::size_t sector = 512;             ///< bytes that are written as a whole or not at all
  duration latency = duration::zero();  ///< of each call
};

/// How much there has been, since the beginning.
struct disk_traffic {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t read = 0;     ///< bytes
  std::uint64_t written = 0;  ///< bytes
  std::uint64_t failed = 0;   ///< calls that failed by choice or by `fail`
  std::uint64_t power_cuts = 0;
};

/// The files of a simulation, in memory. Programs in it use `file`, `read_file`, `write_file_atomically`, directories, temporary files and
/// `file_tail` unchanged.
///
///     explore({.schedules = 1'000}, [](simulation& world) -> coro<> {
///       disk store(world, {.power_cuts = 1});
///       store.put("/data/accounts", "...");
///       try {
///         co_await program();
///       } catch (const std::system_error&) {  // of the disk, that has gone
///       }
///       store.restart();
///       co_await check_what_is_left();
///     });
///
/// What a power cut leaves. Of a file, what was there at its last flush; of what was written since, anything: nothing, all, a part that ends
/// within a write, some writes without earlier ones. Of names, what was made, renamed and removed, in that order, up to any
/// moment; at least up to what a flush has made sure of: that of a file makes its own name sure, that of a directory its entries. So
/// what is written, flushed and renamed is there as a whole or not at all, and what is renamed without a flush may be empty. A flush that has
/// failed has lost what it was to write, though readers see it, and a later flush does not bring it back: as on Linux.
/// Without a power cut nothing is lost, whoever crashes.
///
/// Several disks in several directories are what several machines have; a file cannot be renamed from one to another.
/// There are no links, no owners, no devices; permissions are those of the owner.
///
/// Life: it goes on to the end of the simulation, with or without this handle.
/// Threads: that of the simulation.
class disk {
 public:
  /// Of the simulation that this thread is in. Errors: `invalid_state` where there is none, or it has a disk there; std::invalid_argument for
  /// options that make no sense.
  explicit disk(const disk_options& options = {});
  explicit disk(simulation& world, const disk_options& options = {});

  // --- at once, without faults, whether it is on or off -----------------------------------------------------------------

  /// Makes a file, and directories above it, that a power cut leaves. Errors: std::system_error, for a path that is a directory, say.
  void put(std::string_view path, std::string_view content, unsigned permissions = 0644);
  void put_directory(std::string_view path);
  /// What a reader would find. Errors: std::system_error.
  std::string text(std::string_view path) const;
  bool exists(std::string_view path) const;
  /// All files below that directory, by their paths. Directories end in '/'.
  std::vector<std::string> list(std::string_view path = "/") const;
  std::uint64_t used() const noexcept;

  // --- what goes wrong --------------------------------------------------------------------------------------------------

  enum class operation : unsigned char { open, read, write, flush, change, any };
  /// The next calls of that kind fail, on that file or, where it is empty, on all. `change` is of names: rename, remove, make. A flush that
  /// fails loses what it was to write.
  void fail(operation what, std::error_code why, std::string_view path = {}, std::size_t times = 1);
  void fail(operation what, std::errc why, std::string_view path = {}, std::size_t times = 1) {
    fail(what, std::make_error_code(why), path, times);
  }
  void set_capacity(std::uint64_t bytes);
  void set_latency(duration of_each_call);

  /// From now on all calls fail with io_error, those on open files for ever; and what is left of what was not flushed is chosen.
  void cut_power();
  /// It can be used again. What is on is turned off first. The program's tasks and actors are the scenario's to end, before or after.
  void restart();
  bool is_off() const noexcept;

  const disk_traffic& traffic() const noexcept;

 private:
  std::shared_ptr<internal::simulated_disk> core_;
};

}  // namespace troupe::testing
