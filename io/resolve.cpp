#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/resolver.hpp>
#include <troupe/io/internal/simulated_sockets.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/thread_pool.hpp>
#include <troupe/runtime/to_thread.hpp>

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

namespace troupe::io {

namespace {

class resolve_category_type final : public std::error_category {
 public:
  const char* name() const noexcept override { return "resolve"; }
  std::string message(int value) const override {
    switch (static_cast<resolve_errc>(value)) {
      case resolve_errc::host_not_found:
        return "no such host";
      case resolve_errc::no_address:
        return "the host has no address of the wanted family";
      case resolve_errc::temporary_failure:
        return "the name servers do not answer; try again later";
      case resolve_errc::name_server_failure:
        return "the name servers cannot answer this";
      case resolve_errc::unknown_service:
        return "no port is known for this service";
      case resolve_errc::too_many_lookups:
        return "too many names are being looked up already";
    }
    return "unknown error of a name look-up";
  }
};

/// A name of hosts is as long as this at most, and so is each part of it.
constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;

std::string quoted(const std::string& text) { return "'" + text + "'"; }

void expect_labels(const std::string& host) {
  const std::string_view all =
      std::string_view(host).substr(0, host.size() - (host.ends_with('.') ? 1 : 0));
  if (all.size() > longest_name)
    throw bad_address("a host name of " + std::to_string(all.size()) +
                      " characters is too long: " + std::to_string(longest_name) + " is the most");
  for (std::size_t at = 0; at <= all.size();) {
    const std::size_t dot = std::min(all.find('.', at), all.size());
    if (dot == at) throw bad_address(quoted(host) + " is no host name: a part of it is empty");
    if (dot - at > longest_label)
      throw bad_address(quoted(host) + " is no host name: a part of it is longer than " +
                        std::to_string(longest_label) + " characters");
    at = dot + 1;
  }
}

/// Errors: `bad_address` for what no name server should ever be asked.
void expect_name(const std::string& host) {
  if (host.empty()) throw bad_address("an empty host name: say which host is meant");
  if (host.find('\0') != std::string::npos)
    throw bad_address("a host name with a zero byte in it is none");
  expect_labels(host);
  if (host.find(':') != std::string::npos)
    throw bad_address(quoted(host) + " is no host name: give the port apart from the name");
  const bool strange = std::any_of(host.begin(), host.end(), [](char each) {
    return static_cast<unsigned char>(each) <= ' ' || each == '\x7f' ||
           std::string_view("/@[]%").find(each) != std::string_view::npos;
  });
  if (strange) throw bad_address(quoted(host) + " is no host name: it holds what no name does");
  // The system would take "127.1", "0x7f000001" and "017700000001" for addresses.
  in_addr numbers{};
  if (::inet_aton(host.c_str(), &numbers) != 0)
    throw bad_address(quoted(host) + " is neither a name nor an address of four numbers");
}

/// The address, if the host is given by one. Errors: `bad_address` for an unknown interface.
std::optional<endpoint> literal(const std::string& host, std::uint16_t port) {
  if (host.find('\0') != std::string::npos) return std::nullopt;
  std::uint8_t raw[16];
  const std::string without_scope = host.substr(0, host.find('%'));
  if (::inet_pton(AF_INET, host.c_str(), raw) == 1 ||
      ::inet_pton(AF_INET6, without_scope.c_str(), raw) == 1)
    return endpoint(host, port);
  return std::nullopt;
}

bool belongs_to(const endpoint& address, address_family family) noexcept {
  return family == address_family::any || address.is_ipv6() == (family == address_family::ipv6);
}

/// The threads on which a loop's names are looked up.
class lookups_of_loop final : public loop_service {
 public:
  ~lookups_of_loop() override {
    // Nobody waits for a name any more; the threads end at once, unless the system keeps one.
    if (pool_) static_cast<void>(pool_->shut_down(std::chrono::milliseconds(100)));
  }
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }

  thread_pool& pool() {
    if (!pool_) pool_ = std::make_unique<thread_pool>(internal::lookup_threads);
    return *pool_;
  }
  /// One who waits for a look-up.
  class place {
   public:
    place(lookups_of_loop& in, const std::string& host) : in_(in) {
      if (in.taken_ == internal::lookup_threads + internal::most_waiting_lookups)
        throw std::system_error(make_error_code(resolve_errc::too_many_lookups),
                                "looking up " + quoted(host));
      ++in.taken_;
    }
    ~place() { --in_.taken_; }
    place(const place&) = delete;
    place& operator=(const place&) = delete;

   private:
    lookups_of_loop& in_;
  };

 private:
  std::unique_ptr<thread_pool> pool_;
  std::size_t taken_ = 0;
};

endpoint with_port(const endpoint& address, std::uint16_t port) noexcept {
  return endpoint::from_raw(address.raw().data(), address.is_ipv6(), port, address.scope());
}

}  // namespace

const std::error_category& resolve_category() noexcept {
  static const resolve_category_type* const only = new resolve_category_type;
  return *only;
}

service::service(std::string_view name_or_number) {
  const char* const end = name_or_number.data() + name_or_number.size();
  const auto [stopped, error] = std::from_chars(name_or_number.data(), end, number_);
  if (!name_or_number.empty() && error == std::errc() && stopped == end) return;
  const bool is_number = name_or_number.find_first_not_of("+-0123456789") == std::string_view::npos;
  if (is_number || name_or_number.find('\0') != std::string_view::npos)
    refuse(std::string(name_or_number));
  number_ = 0;
  name_ = name_or_number;
}

void service::refuse(const std::string& port) {
  throw bad_address("'" + port +
                    "' is no port: give a number between 0 and 65535, or a name such as \"https\"");
}

namespace internal {

std::error_code resolve_error(int result, int system_error) noexcept {
  switch (result) {
    case 0:
      return {};
    case EAI_NONAME:
      return resolve_errc::host_not_found;
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
    case EAI_FAMILY:
      return resolve_errc::no_address;
    case EAI_AGAIN:
      return resolve_errc::temporary_failure;
    case EAI_SERVICE:
      return resolve_errc::unknown_service;
    case EAI_MEMORY:
      return std::make_error_code(std::errc::not_enough_memory);
    case EAI_SYSTEM:
      return {system_error, std::generic_category()};
    default:
      return resolve_errc::name_server_failure;
  }
}

name_answer look_up(name_query query) {
  addrinfo hints{};
  hints.ai_family = query.family == address_family::ipv4   ? AF_INET
                    : query.family == address_family::ipv6 ? AF_INET6
                                                           : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int result =
      ::getaddrinfo(query.host.empty() ? nullptr : query.host.c_str(),
                    query.service.empty() ? nullptr : query.service.c_str(), &hints, &list);
  name_answer answer;
  answer.error = resolve_error(result, errno);
  if (answer.error) return answer;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, &::freeaddrinfo);
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    address found;
    std::memcpy(found.get(), each->ai_addr, each->ai_addrlen);
    answer.found.push_back(found.to_endpoint());
  }
  return answer;
}

coro<std::vector<endpoint>> resolve_with(name_lookup how, std::string host, service port,
                                         resolve_options options) {
  const std::optional<endpoint> known = literal(host, port.number());
  if (!known) expect_name(host);
  const std::string doing =
      "looking up " + quoted(host) + (port.name().empty() ? "" : " for " + quoted(port.name()));
  const auto fail = [&](std::error_code error) { throw std::system_error(error, doing); };
  if (known && !belongs_to(*known, options.family)) fail(resolve_errc::no_address);
  std::vector<endpoint> found;
  if (known && port.name().empty()) {
    found.push_back(*known);
    co_return found;
  }

  auto& lookups = troupe::internal::running_loop("resolve").service<lookups_of_loop>();
  const lookups_of_loop::place place(lookups, host);
  name_query query{known ? std::string() : host, port.name(),
                   known ? address_family::any : options.family};
  name_answer answer;
  if (simulated_sockets* const simulation = simulated(); simulation != nullptr && how == &look_up) {
    duration delay{};
    answer = simulation->look_up(query, delay);
    if (delay > duration::zero()) co_await sleep(delay);
  } else {
    const future<name_answer> looking = to_thread(lookups.pool(), how, std::move(query));
    answer = co_await looking;
  }
  if (answer.error) fail(answer.error);

  // A resolver that knows an address twice, by two files, is not to have it tried twice.
  for (const endpoint& each : answer.found) {
    const std::uint16_t number = port.name().empty() ? port.number() : each.port();
    const endpoint next = known ? with_port(*known, number) : with_port(each, number);
    if (std::find(found.begin(), found.end(), next) == found.end()) found.push_back(next);
  }
  if (found.empty()) fail(resolve_errc::no_address);
  co_return found;
}

}  // namespace internal

coro<std::vector<endpoint>> resolve(std::string host, service port, resolve_options options) {
  return internal::resolve_with(&internal::look_up, std::move(host), std::move(port), options);
}

}  // namespace troupe::io
