#include <troupe/io/testing/network.hpp>

#include <troupe/io/testing/internal/simulated_network.hpp>
#include <troupe/runtime/errors.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::testing {

namespace {

simulation& current() {
  simulation* const here = simulation::current();
  if (here == nullptr)
    throw invalid_state("a simulated network was made where there is no simulation");
  return *here;
}

io::endpoint at(std::string_view address) { return {address, 0}; }

void check(const link_options& how) {
  if (how.latency < duration::zero() || how.jitter < duration::zero())
    throw std::invalid_argument("the latency of a simulated link cannot be negative");
  for (const double share : {how.loss, how.duplication, how.reordering})
    if (!(share >= 0 && share <= 1))
      throw std::invalid_argument("shares of what a simulated link does lie between 0 and 1");
}

const network_options& checked(const network_options& options) {
  check(options.link);
  if (options.send_buffer == 0 || options.receive_buffer == 0)
    throw std::invalid_argument("the sockets of a simulated network need buffers");
  return options;
}

}  // namespace

network::network(const network_options& options) : network(current(), options) {}

network::network(simulation& world, const network_options& options)
    : core_(std::make_shared<internal::simulated_network>(world, checked(options))) {
  world.set_outside(core_);
}

void network::place(std::size_t loop, std::string_view address) {
  core_->place_loop(loop, at(address));
}

void network::name(const std::string& host, const std::vector<std::string>& addresses) {
  std::vector<io::endpoint> all;
  for (const std::string& each : addresses) all.push_back(at(each));
  core_->name(host, std::move(all));
}
void network::name_fails(const std::string& host, std::error_code why) {
  core_->name_fails(host, why);
}

void network::set_link(std::string_view one, std::string_view other, const link_options& how) {
  check(how);
  core_->set_link(at(one), at(other), how);
}
void network::set_links(const link_options& how) {
  check(how);
  core_->set_links(how);
}

void network::partition(std::string_view one, std::string_view other) {
  core_->partition(at(one), at(other), true);
}
void network::isolate(std::string_view one) { core_->isolate(at(one)); }
void network::heal(std::string_view one, std::string_view other) {
  core_->partition(at(one), at(other), false);
}
void network::heal() { core_->heal(); }

void network::reset(std::string_view one, std::string_view other) {
  const io::endpoint second = at(other);
  core_->reset(at(one), &second);
}
void network::reset(std::string_view one) { core_->reset(at(one), nullptr); }
void network::crash(std::string_view address) { core_->set_down(at(address), true); }
void network::restart(std::string_view address) { core_->set_down(at(address), false); }

const network_traffic& network::traffic() const noexcept { return core_->traffic; }

}  // namespace troupe::testing
