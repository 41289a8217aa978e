#include <troupe/io/internal/child.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string_view>

namespace troupe::io::internal {

namespace {

/// Whether that process is of the group and has not ended. From its line in /proc: number (name) state parent group ...
bool lives_in(std::string_view line, pid_t group) {
  const std::size_t closing = line.rfind(") ");  // the name may hold anything
  if (closing == std::string_view::npos || line.size() < closing + 5) return false;
  const char state = line[closing + 2];
  line.remove_prefix(closing + 4);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  line.remove_prefix(space + 1);
  pid_t found = 0;
  std::from_chars(line.data(), line.data() + line.size(), found);
  return found == group && state != 'Z' && state != 'X';
}

}  // namespace

bool group_lives(pid_t group) noexcept {
  DIR* const all = ::opendir("/proc");
  if (all == nullptr) return true;
  bool found = false;
  while (const dirent* const each = found ? nullptr : ::readdir(all)) {
    if (each->d_name[0] < '1' || each->d_name[0] > '9') continue;
    char path[sizeof each->d_name + 16];
    std::snprintf(path, sizeof path, "/proc/%s/stat", each->d_name);
    const descriptor stat(::open(path, O_RDONLY | O_CLOEXEC));
    char line[512];
    const ssize_t got = stat ? ::read(stat.get(), line, sizeof line) : -1;
    // One that may not be read might be of the group; one that has gone is not.
    if (got > 0) found = lives_in({line, static_cast<std::size_t>(got)}, group);
  }
  ::closedir(all);
  return found;
}

}  // namespace troupe::io::internal
