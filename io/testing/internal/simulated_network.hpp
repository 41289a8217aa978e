#pragma once

#include <troupe/io/internal/simulated_sockets.hpp>
#include <troupe/io/testing/internal/outside_story.hpp>
#include <troupe/io/testing/internal/virtual_socket.hpp>
#include <troupe/io/testing/network.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::testing::internal {

class virtual_tcp;

/// An address without a port, with an order.
using place = std::array<std::uint8_t, 17>;
place place_of(const io::endpoint& at) noexcept;
inline bool is_unspecified(const io::endpoint& at) noexcept {
  return at.raw() == std::array<std::uint8_t, 16>{};
}
io::endpoint with_port(const io::endpoint& at, std::uint16_t port) noexcept;

/// What lies between two places, in both directions.
struct network_link {
  place one;
  place other;
  link_options how;
  bool own = false;      ///< `how` was set for these two
  bool cut = false;      ///< by name
  bool severed = false;  ///< for whatever reason
};

/// A datagram under way.
struct datagram_under_way {
  io::endpoint from;
  io::endpoint to;
  std::size_t machine;  ///< where it goes
  int sender;
  network_link* link;
  std::string content;
};

/// What is behind a `network`: machines, links, names, sockets by their numbers, and what is under way between them.
/// Nothing in it goes by addresses of memory; what happens at one moment happens in the order in which it was caused.
class simulated_network final : public io::internal::simulated_sockets {
 public:
  simulated_network(simulation& world, const network_options& options);
  ~simulated_network() override;

  // --- as the outside of the simulation
  void watch(int descriptor, troupe::internal::poller::listener& told,
             std::uint32_t events) override;
  void forget(int descriptor) noexcept override;
  time_point next() noexcept override;
  void advance(time_point now) override;

  // --- the system's calls
  int make(int family, int type) override;
  int close(int socket) override;
  int bind(int socket, const sockaddr* where, socklen_t size) override;
  int listen(int socket, int backlog) override;
  int accept(int socket, sockaddr* peer, socklen_t* size) override;
  int connect(int socket, const sockaddr* where, socklen_t size) override;
  int shutdown(int socket, int how) override;
  ssize_t receive(int socket, void* into, std::size_t size, int flags) override;
  int receive_many(int socket, mmsghdr* headers, unsigned count, int flags) override;
  ssize_t send(int socket, std::span<const iovec> parts, const sockaddr* to,
               socklen_t size) override;
  int get_option(int socket, int level, int option, void* value, socklen_t* size) override;
  int set_option(int socket, int level, int option, const void* value, socklen_t size) override;
  int local_name(int socket, sockaddr* into, socklen_t* size) override;
  int peer_name(int socket, sockaddr* into, socklen_t* size) override;
  io::internal::name_answer look_up(const io::internal::name_query& query,
                                    duration& delay) override;

  // --- for the sockets
  const network_options& options() const noexcept { return options_; }
  time_point now() const noexcept { return world_.time(); }
  virtual_tcp& make_connection(std::size_t machine, bool ipv6);
  virtual_socket* find(int number) const noexcept;
  void stirred(virtual_socket& one) { stirred_.push_back(one.number()); }
  void ended(virtual_socket& one) { ended_.push_back(one.number()); }
  void touched() { world_.touch(object_, true); }

  /// What is to happen to a socket later.
  enum class event : std::uint8_t {
    arrival,
    acknowledged,
    asks,
    connect_timeout,
    given_up,
    unreachable,
    datagram
  };
  void later(duration delay, event what, int socket);
  void later(duration delay, datagram_under_way sent);

  // --- machines, ports and links
  bool is_at(std::size_t machine, const io::endpoint& address) const noexcept;
  /// Where a packet to there goes, or nothing.
  std::optional<std::size_t> machine_of(std::size_t from, const io::endpoint& to) const noexcept;
  /// The address from which a machine sends there.
  std::optional<io::endpoint> source(std::size_t machine, const io::endpoint& to) const noexcept;
  bool port_taken(const virtual_socket& by, const io::endpoint& wanted) const noexcept;
  std::uint16_t free_port(const virtual_socket& wanting) noexcept;
  void take_port(virtual_socket& by);
  void give_port_back(virtual_socket& by);
  /// Who is to have what comes there `from` somewhere, or null.
  virtual_socket* addressee(bool stream, std::size_t machine, const io::endpoint& to,
                            const io::endpoint& from);
  network_link& link_between(const io::endpoint& one, const io::endpoint& other);
  bool is_down(const io::endpoint& at) const noexcept { return state_of(place_of(at)).down; }

  // --- choices
  /// How long a packet takes. One that may not be lost is sent again when it was.
  duration delay_of(const network_link& link, bool may_be_lost);
  /// Whether that share of things is met.
  bool happens(double share);
  /// 0, or which of `kinds` faults is to happen.
  std::size_t fault(std::size_t kinds);
  /// How much of `size` is moved in one go; zero only where `may_be_none`.
  std::size_t shortened(std::size_t size, bool may_be_none);
  std::size_t choose(std::size_t count) { return world_.choose(count); }

  // --- for who looks at the run
  void note(const io::endpoint& from, const io::endpoint& to, std::string_view what,
            std::string_view content = {}) {
    if (story_ != nullptr) story_->note(now(), from, to, what, content);
  }
  void note(std::string_view what) {
    if (story_ != nullptr) story_->note(now(), what);
  }

  // --- commands
  void place_loop(std::size_t loop, const io::endpoint& address);
  void name(const std::string& host, std::vector<io::endpoint> addresses);
  void name_fails(const std::string& host, std::error_code why);
  void set_link(const io::endpoint& one, const io::endpoint& other, const link_options& how);
  void set_links(const link_options& how);
  void partition(const io::endpoint& one, const io::endpoint& other, bool cut);
  void isolate(const io::endpoint& one);
  void heal();
  void reset(const io::endpoint& one, const io::endpoint* other);
  void set_down(const io::endpoint& at, bool down);

  network_traffic traffic;

 private:
  struct state_of_place {
    bool isolated = false;
    bool down = false;
  };
  struct occurrence {
    time_point at;
    std::uint64_t order;
    event what;
    int socket;
    bool operator<(const occurrence& other) const noexcept {  // the earliest is the greatest
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct port_key {
    bool stream;
    std::uint16_t port;
    auto operator<=>(const port_key&) const = default;
  };

  std::size_t machine_here() const noexcept;
  state_of_place state_of(const place& at) const noexcept;
  void happen(const occurrence& due);
  void deliver(datagram_under_way sent);
  void settle();
  void look_at_links();
  template <class Visit>
  void each_tcp(Visit visit);

  simulation& world_;
  network_options options_;
  outside_story* story_ = outside_story::current();
  std::uint64_t object_;
  std::vector<std::unique_ptr<virtual_socket>> sockets_;  ///< by number; closed ones are null
  std::vector<int> stirred_;
  std::vector<int> ended_;
  std::priority_queue<occurrence> coming_;
  std::map<std::uint64_t, datagram_under_way> datagrams_;  ///< by the order of their occurrence
  std::uint64_t order_ = 0;
  std::size_t faults_left_;

  std::vector<std::size_t> machine_of_loop_;         ///< 0, where it was not placed
  std::vector<std::vector<io::endpoint>> machines_;  ///< their addresses
  std::map<place, std::size_t> placed_;
  std::map<port_key, std::vector<virtual_socket*>> ports_;  ///< in the order of binding
  std::uint16_t next_port_;
  int first_number_;  ///< of its sockets
  std::map<std::pair<place, place>, network_link> links_;
  std::map<place, state_of_place> states_;
  struct known_name {
    std::error_code error;
    std::vector<io::endpoint> addresses;
  };
  std::map<std::string, known_name> names_;
};

}  // namespace troupe::testing::internal
