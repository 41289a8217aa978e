#pragma once

#include <troupe/io/stream.hpp>
#include <troupe/runtime/time.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::io {

/// Where a standard stream of a child leads.
class stdio {
 public:
  static const stdio inherit;  ///< where this process's own leads
  static const stdio pipe;     ///< to this process: `process::input`, `output`, `errors`
  static const stdio null;     ///< nowhere: nothing to read, and what is written is dropped
  static const stdio merged;   ///< for errors only: where the output goes

  /// To an open descriptor, which stays the caller's and may be closed once the child has started.
  static constexpr stdio use(int descriptor) noexcept {
    return stdio(to::descriptor, {}, descriptor);
  }
  /// To a file: read from its beginning as input; emptied, or made, as output.
  static constexpr stdio file(std::string_view path) noexcept { return stdio(to::file, path); }
  /// To the end of a file, which is made if need be.
  static constexpr stdio append(std::string_view path) noexcept { return stdio(to::append, path); }

  enum class to : std::uint8_t { inherit, pipe, null, merged, descriptor, file, append };
  constexpr to kind() const noexcept { return kind_; }
  constexpr std::string_view path() const noexcept { return path_; }
  constexpr int native() const noexcept { return native_; }

 private:
  constexpr explicit stdio(to kind, std::string_view path = {}, int native = -1) noexcept
      : kind_(kind), native_(native), path_(path) {}
  to kind_;
  int native_;
  std::string_view path_;
};

inline constexpr stdio stdio::inherit{stdio::to::inherit};
inline constexpr stdio stdio::pipe{stdio::to::pipe};
inline constexpr stdio stdio::null{stdio::to::null};
inline constexpr stdio stdio::merged{stdio::to::merged};

/// Whom a child belongs to, and so who is ended with it.
enum class process_group : std::uint8_t {
  own,  ///< one of its own: whatever it starts is ended with it. It gets no interrupt from the terminal, and may not read from that
  same,    ///< that of this process, as asyncio has it: it alone is ended
  session  ///< one of its own, in a session of its own: it has no terminal at all
};

/// A limit that a child is to have, as setrlimit takes it: `{RLIMIT_CPU, 1, 2}`.
struct resource_limit {
  int resource;
  std::uint64_t soft;
  std::uint64_t hard;
};

/// How a child is started. Trivial on purpose, so that it can be written into a co_await expression; what it refers to is copied by the
/// call that it is given to.
///
///     auto sorted = co_await io::subprocess_exec("sort", io::args("-u"), {.input = io::stdio::pipe, .output = io::stdio::pipe});
struct process_options {
  stdio input = stdio::inherit;
  stdio output = stdio::inherit;
  stdio errors = stdio::inherit;
  /// The folder that the child begins in; this process's own when empty.
  std::string_view cwd = {};
  /// Its whole environment, as "NAME=value"; that of this process when there is none.
  std::optional<std::span<const std::string>> env = {};
  /// Beside that, or in place of what it has under these names.
  std::span<const std::string> add_env = {};
  process_group group = process_group::own;
  std::span<const resource_limit> limits = {};
  std::optional<unsigned> umask = {};
  /// Descriptors that the child gets as well, under the numbers they have here. All others are closed.
  std::span<const int> pass = {};
  /// Between SIGTERM and SIGKILL, for a child that is to end because its `process` goes. Less than what a supervisor gives a child to
  /// stop (`child_options::shutdown`), so that a `subprocess_actor` stops in time.
  duration grace = std::chrono::seconds(3);
  /// For the streams that are pipes.
  stream_options streams = {};
};

/// A child could not be started: what the system said, at which step, and with what.
class spawn_error : public std::system_error {
 public:
  enum class step : std::uint8_t {
    streams,  ///< pipes and files for it: too_many_files_open, a file that cannot be opened
    process,  ///< the process itself: resource_unavailable_try_again when there may be no more, too_many_files_open
    session,  ///< its group or session
    limits,   ///< resource limits
    cwd,      ///< the folder it was to begin in
    descriptors,  ///< one that it was to get is not open
    program  ///< no_such_file_or_directory: not found; permission_denied: not executable; executable_format_error...
  };
  spawn_error(step at, std::error_code error, const std::string& what)
      : std::system_error(error, what), step_(at) {}
  step at() const noexcept { return step_; }

 private:
  step step_;
};

/// A child has ended, and somebody else in this process has taken its status: a `waitpid` for any child, or SIGCHLD being ignored.
struct status_lost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace troupe::io
