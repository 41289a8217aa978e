#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/socket_calls.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/io/listening.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace troupe::io {

using internal::address;
using internal::throw_last_error;
namespace sockets = internal::sockets;

// --- files of Unix sockets --------------------------------------------------------------------------------------------

socket_file::socket_file(std::string path) noexcept : path_(std::move(path)) {
  struct stat found{};
  if (::lstat(path_.c_str(), &found) != 0) {
    path_.clear();
    return;
  }
  device_ = found.st_dev;
  number_ = found.st_ino;
}

socket_file::~socket_file() {
  struct stat found{};
  if (path_.empty() || ::lstat(path_.c_str(), &found) != 0) return;
  if (found.st_dev == device_ && found.st_ino == number_) ::unlink(path_.c_str());
}

namespace {

/// Removes the file of a socket that nobody listens on: what a server that was killed leaves behind.
void remove_stale(const unix_endpoint& local, const address& where) {
  struct stat found{};
  if (local.is_abstract() || ::lstat(local.name().c_str(), &found) != 0 || !S_ISSOCK(found.st_mode))
    return;
  const descriptor probe = internal::new_stream_socket(AF_UNIX, "listening on " + local.text());
  if (sockets::connect(probe.get(), where.get(), where.size) != 0 && errno == ECONNREFUSED)
    ::unlink(local.name().c_str());
}

int option_of(const descriptor& socket, int option) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return sockets::getsockopt(socket.get(), SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/// And not inherited.
bool make_nonblocking(const descriptor& socket) noexcept {
  if (sockets::is_simulated(socket.get())) return true;
  const int flags = ::fcntl(socket.get(), F_GETFL);
  return flags >= 0 && ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) == 0 &&
         ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == 0;
}

}  // namespace

// --- listening --------------------------------------------------------------------------------------------------------

listening_socket::listening_socket(const endpoint& local, listen_options options) {
  const std::string what = "listening on " + local.text();
  listening_ = internal::new_stream_socket(local.is_ipv6() ? AF_INET6 : AF_INET, what);
  internal::set_option(listening_, SOL_SOCKET, SO_REUSEADDR, options.reuse_address);
  internal::set_option(listening_, SOL_SOCKET, SO_REUSEPORT, options.reuse_port);
  if (local.is_ipv6()) internal::set_option(listening_, IPPROTO_IPV6, IPV6_V6ONLY, true);
  const address wanted(local);
  if (sockets::bind(listening_.get(), wanted.get(), wanted.size) != 0) throw_last_error(what);
  if (sockets::listen(listening_.get(), options.backlog) != 0) throw_last_error(what);
  address bound;
  if (sockets::getsockname(listening_.get(), bound.get(), &bound.size) != 0) throw_last_error(what);
  local_ = bound.to_endpoint();
  name_ = local_.text();
}

listening_socket::listening_socket(const unix_endpoint& local, listen_options options)
    : name_(local.text()), unix_(true) {
  const std::string what = "listening on " + name_;
  const address wanted(local);
  remove_stale(local, wanted);
  listening_ = internal::new_stream_socket(AF_UNIX, what);
  if (sockets::bind(listening_.get(), wanted.get(), wanted.size) != 0) throw_last_error(what);
  if (!local.is_abstract()) file_ = socket_file(local.name());
  if (sockets::listen(listening_.get(), options.backlog) != 0) throw_last_error(what);
}

listening_socket::listening_socket(descriptor listening) : listening_(std::move(listening)) {
  address bound;
  const bool is_socket = sockets::getsockname(listening_.get(), bound.get(), &bound.size) == 0;
  unix_ = is_socket && bound.storage.ss_family == AF_UNIX;
  const char* wrong = nullptr;
  if (!is_socket) {
    wrong = "no socket";
  } else if (!unix_ && !bound.is_ip()) {
    wrong = "neither an internet nor a Unix socket";
  } else if (option_of(listening_, SO_TYPE) != SOCK_STREAM) {
    wrong = "no stream socket";
  } else if (option_of(listening_, SO_ACCEPTCONN) != 1) {
    wrong = "a socket that does not listen";
  }
  if (wrong != nullptr)
    throw std::invalid_argument("descriptor " + std::to_string(listening_.get()) + " is " + wrong);
  if (!make_nonblocking(listening_)) throw_last_error("taking over a listening socket");
  name_ = bound.text();
  if (!unix_) local_ = bound.to_endpoint();
}

// --- from a service manager -------------------------------------------------------------------------------------------

namespace {

/// The number in an environment variable, or none. Errors: std::invalid_argument.
std::optional<int> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0)
    throw std::invalid_argument(std::string(variable) + " is no number: '" + text + "'");
  return number;
}

/// Takes the next name off a list with colons between.
std::string next_name(std::string_view& names) {
  const std::size_t colon = std::min(names.find(':'), names.size());
  std::string name(names.substr(0, colon));
  names.remove_prefix(std::min(colon + 1, names.size()));
  return name;
}

}  // namespace

std::vector<inherited_socket> inherited_sockets() {
  constexpr int first = 3;
  constexpr int most = 1024;
  const std::optional<int> meant = number_in("LISTEN_PID");
  const std::optional<int> count = number_in("LISTEN_FDS");
  if (!meant || !count || *meant != ::getpid()) return {};
  if (*count > most)
    throw std::invalid_argument("LISTEN_FDS names more descriptors than there may be");
  const char* const named = std::getenv("LISTEN_FDNAMES");
  const std::string all_names = named != nullptr ? named : "";
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(variable);

  std::vector<descriptor> owned;
  for (int index = 0; index < *count; ++index) owned.emplace_back(first + index);
  std::vector<inherited_socket> found;
  std::string_view names = all_names;
  for (descriptor& each : owned) {
    std::string name = next_name(names);
    found.push_back({std::move(name), listening_socket(std::move(each))});
  }
  return found;
}

}  // namespace troupe::io
