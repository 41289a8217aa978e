// The simulated network as a whole: what is under way, machines, ports, links, and what it is told to do. What the system's calls do is
// in simulated_calls.cpp.
#include <troupe/io/testing/internal/simulated_network.hpp>
#include <troupe/io/testing/internal/virtual_tcp.hpp>
#include <troupe/io/testing/internal/virtual_udp.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace troupe::testing::internal {

namespace {

// Linux's ephemeral ports.
constexpr std::uint16_t first_port = 32768;
constexpr std::uint16_t last_port = 60999;

constexpr std::size_t jitter_steps = 4;

bool overlap(const io::endpoint& one, const io::endpoint& other) noexcept {
  return one.is_ipv6() == other.is_ipv6() &&
         (is_unspecified(one) || is_unspecified(other) || one.raw() == other.raw());
}

// Descriptors of this thread's next world.
constexpr int most_numbers = 1 << 30;
thread_local int next_number = troupe::internal::first_simulated;

}  // namespace

place place_of(const io::endpoint& at) noexcept {
  place made{};
  made[0] = at.is_ipv6() ? 6 : 4;
  std::copy(at.raw().begin(), at.raw().end(), made.begin() + 1);
  return made;
}

io::endpoint with_port(const io::endpoint& at, std::uint16_t port) noexcept {
  return io::endpoint::from_raw(at.raw().data(), at.is_ipv6(), port, at.scope());
}

simulated_network::simulated_network(simulation& world, const network_options& options)
    : world_(world),
      options_(options),
      object_(world.number_object()),
      faults_left_(options.faults),
      machines_(1),
      next_port_(first_port),
      first_number_(next_number < most_numbers ? next_number : troupe::internal::first_simulated) {
  names_["localhost"].addresses = {io::endpoint("127.0.0.1", 0)};
}

// A socket that outlives its world closes none of the next one.
simulated_network::~simulated_network() {
  next_number = first_number_ + static_cast<int>(sockets_.size());
}

// --- what is under way ------------------------------------------------------------------------------------------------

void simulated_network::later(duration delay, event what, int socket) {
  coming_.push({troupe::internal::saturating_add(now(), delay), ++order_, what, socket});
}

void simulated_network::later(duration delay, datagram_under_way sent) {
  later(delay, event::datagram, sent.sender);
  datagrams_.emplace(order_, std::move(sent));
}

time_point simulated_network::next() noexcept {
  return coming_.empty() ? time_point::max() : coming_.top().at;
}

void simulated_network::advance(time_point now) {
  settle();
  while (!coming_.empty() && coming_.top().at <= now) {
    const occurrence due = coming_.top();
    coming_.pop();
    happen(due);
    settle();
  }
  for (const int number : std::exchange(ended_, {})) {
    const virtual_socket* const found = find(number);
    if (found != nullptr && found->over())
      sockets_[static_cast<std::size_t>(number - first_number_)].reset();
  }
}

void simulated_network::settle() {
  while (!stirred_.empty()) {
    for (const int number : std::exchange(stirred_, {}))
      if (virtual_socket* const found = find(number)) found->settle();
  }
}

void simulated_network::happen(const occurrence& due) {
  if (due.what == event::datagram) {
    auto found = datagrams_.extract(due.order);
    return deliver(std::move(found.mapped()));
  }
  virtual_socket* const found = find(due.socket);
  if (found == nullptr) return;
  if (due.what == event::arrival) return found->stir();
  if (due.what == event::unreachable) return static_cast<virtual_udp*>(found)->unreachable();
  auto& tcp = static_cast<virtual_tcp&>(*found);
  if (due.what == event::acknowledged) tcp.acknowledged();
  if (due.what == event::asks) tcp.asks();
  if (due.what == event::connect_timeout) tcp.connect_timed_out();
  if (due.what == event::given_up) tcp.given_up();
}

void simulated_network::deliver(datagram_under_way sent) {
  if (sent.link->severed) {
    ++traffic.lost;
    return note(sent.from, sent.to, "is lost", sent.content);
  }
  virtual_socket* const found =
      is_down(sent.to) ? nullptr : addressee(false, sent.machine, sent.to, sent.from);
  if (found == nullptr) return later(sent.link->how.latency, event::unreachable, sent.sender);
  static_cast<virtual_udp*>(found)->comes(sent.from, std::move(sent.content));
}

// --- machines ---------------------------------------------------------------------------------------------------------

std::size_t simulated_network::machine_here() const noexcept {
  const loop* const here = loop::current();
  const std::size_t index = here != nullptr ? here->index() : 0;
  return index < machine_of_loop_.size() ? machine_of_loop_[index] : 0;
}

void simulated_network::place_loop(std::size_t loop, const io::endpoint& address) {
  if (machine_of_loop_.size() <= loop) machine_of_loop_.resize(loop + 1);
  std::size_t& machine = machine_of_loop_[loop];
  const auto known = placed_.find(place_of(address));
  if (machine == 0 && known != placed_.end()) {
    machine = known->second;
    return;
  }
  if (machine == 0) {
    machine = machines_.size();
    machines_.emplace_back();
  }
  if (placed_.emplace(place_of(address), machine).second) machines_[machine].push_back(address);
}

bool simulated_network::is_at(std::size_t machine, const io::endpoint& address) const noexcept {
  if (address.is_loopback()) return true;
  const auto found = placed_.find(place_of(address));
  return found != placed_.end() && found->second == machine;
}

std::optional<std::size_t> simulated_network::machine_of(std::size_t from,
                                                         const io::endpoint& to) const noexcept {
  if (to.is_loopback()) return from;
  const auto found = placed_.find(place_of(to));
  if (found == placed_.end()) return std::nullopt;
  return found->second;
}

std::optional<io::endpoint> simulated_network::source(std::size_t machine,
                                                      const io::endpoint& to) const noexcept {
  if (to.is_loopback() || is_unspecified(to))
    return to.is_ipv6() ? io::endpoint("::1", 0) : io::endpoint("127.0.0.1", 0);
  for (const io::endpoint& each : machines_[machine])
    if (each.is_ipv6() == to.is_ipv6()) return with_port(each, 0);
  return std::nullopt;
}

// --- ports ------------------------------------------------------------------------------------------------------------

bool simulated_network::port_taken(const virtual_socket& by,
                                   const io::endpoint& wanted) const noexcept {
  const auto found = ports_.find({by.is_stream(), wanted.port()});
  if (found == ports_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const virtual_socket* each) {
    if (each == &by || each->machine() != by.machine() || !overlap(each->local(), wanted))
      return false;
    if (each->reuses_port && by.reuses_port) return false;
    return each->listening() || !each->reuses_address || !by.reuses_address;
  });
}

std::uint16_t simulated_network::free_port(const virtual_socket& wanting) noexcept {
  for (int left = last_port - first_port; left >= 0; --left) {
    const std::uint16_t port = next_port_;
    next_port_ = port == last_port ? first_port : static_cast<std::uint16_t>(port + 1);
    const auto found = ports_.find({wanting.is_stream(), port});
    if (found == ports_.end() ||
        std::none_of(found->second.begin(), found->second.end(),
                     [&](const auto* each) { return each->machine() == wanting.machine(); }))
      return port;
  }
  return 0;
}

void simulated_network::take_port(virtual_socket& by) {
  ports_[{by.is_stream(), by.local().port()}].push_back(&by);
}

void simulated_network::give_port_back(virtual_socket& by) {
  const auto found = ports_.find({by.is_stream(), by.local().port()});
  std::erase(found->second, &by);
  if (found->second.empty()) ports_.erase(found);
}

virtual_socket* simulated_network::addressee(bool stream, std::size_t machine,
                                             const io::endpoint& to, const io::endpoint& from) {
  const auto found = ports_.find({stream, to.port()});
  if (found == ports_.end()) return nullptr;
  std::vector<virtual_socket*> best;
  int best_rank = 0;
  for (virtual_socket* const each : found->second) {
    if (each->machine() != machine || !overlap(each->local(), to)) continue;
    if (stream && !each->listening()) continue;
    const io::endpoint* const peer = stream ? nullptr : each->peer();
    if (peer != nullptr && *peer != from) continue;
    const int rank = peer != nullptr ? 3 : is_unspecified(each->local()) ? 1 : 2;
    if (rank > best_rank) best.clear();
    if (rank < best_rank) continue;
    best_rank = rank;
    best.push_back(each);
  }
  if (best.empty()) return nullptr;
  return best[best.size() > 1 ? world_.choose(best.size()) : 0];
}

// --- links ------------------------------------------------------------------------------------------------------------

network_link& simulated_network::link_between(const io::endpoint& one, const io::endpoint& other) {
  std::pair<place, place> key(place_of(one), place_of(other));
  if (key.second < key.first) std::swap(key.first, key.second);
  const auto found = links_.find(key);
  if (found != links_.end()) return found->second;
  network_link& made =
      links_.emplace(key, network_link{key.first, key.second, options_.link}).first->second;
  look_at_links();
  return made;
}

simulated_network::state_of_place simulated_network::state_of(const place& at) const noexcept {
  const auto found = states_.find(at);
  return found != states_.end() ? found->second : state_of_place();
}

/// Finds out which are severed, and tells those who go over the others that have changed.
void simulated_network::look_at_links() {
  for (auto& [ends, each] : links_) {
    const bool apart =
        each.one != each.other && (state_of(each.one).isolated || state_of(each.other).isolated);
    const bool was = std::exchange(each.severed, each.cut || apart);
    if (was == each.severed) continue;
    each_tcp([&link = each](virtual_tcp& socket) {
      if (!socket.goes_over(link)) return;
      link.severed ? socket.link_severed() : socket.link_healed();
    });
  }
}

template <class Visit>
void simulated_network::each_tcp(Visit visit) {
  for (std::size_t index = 0; index < sockets_.size(); ++index) {
    virtual_socket* const each = sockets_[index].get();
    if (each != nullptr && each->is_stream()) visit(static_cast<virtual_tcp&>(*each));
  }
}

// --- choices ----------------------------------------------------------------------------------------------------------

duration simulated_network::delay_of(const network_link& link, bool may_be_lost) {
  duration delay = link.how.latency;
  if (link.how.jitter > duration::zero()) {
    const auto step = static_cast<duration::rep>(choose(jitter_steps));
    delay += link.how.jitter * step / static_cast<duration::rep>(jitter_steps - 1);
  }
  while (!may_be_lost && link.how.loss < 1 && happens(link.how.loss)) delay += options_.resend;
  return delay;
}

bool simulated_network::happens(double share) {
  constexpr double finest = 1'000;
  if (share <= 0) return false;
  if (share >= 1) return true;
  // As few answers as there can be, for who tries them all; the first is that it does not happen.
  const double rarer = std::max(std::min(share, 1 - share), 1 / finest);
  const auto count = static_cast<std::size_t>(std::lround(1 / rarer));
  const std::size_t answer = choose(count);
  return share <= 0.5 ? answer == count - 1 : answer != 0;
}

std::size_t simulated_network::fault(std::size_t kinds) {
  if (faults_left_ == 0) return 0;
  const std::size_t answer = world_.choose(kinds + 1, choice::kind::fault);
  if (answer != 0) --faults_left_;
  return answer;
}

std::size_t simulated_network::shortened(std::size_t size, bool may_be_none) {
  if (!options_.short_transfers || size == 0 || (size == 1 && !may_be_none)) return size;
  switch (world_.choose(may_be_none && size > 1 ? 4 : size > 1 ? 3 : 2, choice::kind::fault)) {
    case 0:
      return size;
    case 1:
      return size > 1 ? 1 : 0;
    case 2:
      return size / 2;
    default:
      return 0;
  }
}

// --- commands ---------------------------------------------------------------------------------------------------------

void simulated_network::name(const std::string& host, std::vector<io::endpoint> addresses) {
  touched();
  names_[host] = {{}, std::move(addresses)};
}

void simulated_network::name_fails(const std::string& host, std::error_code why) {
  touched();
  names_[host] = {why, {}};
}

void simulated_network::set_link(const io::endpoint& one, const io::endpoint& other,
                                 const link_options& how) {
  touched();
  network_link& link = link_between(one, other);
  link.how = how;
  link.own = true;
}

void simulated_network::set_links(const link_options& how) {
  touched();
  options_.link = how;
  for (auto& [ends, each] : links_)
    if (!each.own) each.how = how;
}

void simulated_network::partition(const io::endpoint& one, const io::endpoint& other, bool cut) {
  touched();
  note(one.address() + " and " + other.address() + (cut ? " are parted" : " are healed"));
  link_between(one, other).cut = cut;
  look_at_links();
}

void simulated_network::isolate(const io::endpoint& one) {
  touched();
  note(one.address() + " is isolated");
  states_[place_of(one)].isolated = true;
  look_at_links();
}

void simulated_network::heal() {
  touched();
  note("all are healed");
  for (auto& [ends, each] : links_) each.cut = false;
  for (auto& [at, state] : states_) state.isolated = false;
  look_at_links();
}

void simulated_network::reset(const io::endpoint& one, const io::endpoint* other) {
  touched();
  each_tcp([&](virtual_tcp& each) {
    if (!each.connected()) return;
    const place ends[] = {place_of(each.local()), place_of(each.remote())};
    const bool mine = ends[0] == place_of(one) || ends[1] == place_of(one);
    const bool theirs =
        other == nullptr || ends[0] == place_of(*other) || ends[1] == place_of(*other);
    if (!mine || !theirs) return;
    ++traffic.resets;
    each.cut();
  });
}

void simulated_network::set_down(const io::endpoint& at, bool down) {
  touched();
  note(at.address() + (down ? " crashes" : " is there again"));
  states_[place_of(at)].down = down;
  if (down) reset(at, nullptr);
}

}  // namespace troupe::testing::internal
