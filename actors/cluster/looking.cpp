#include <troupe/actors/cluster/internal/node_core.hpp>

#include <troupe/io/open_connection.hpp>
#include <troupe/io/resolve.hpp>
#include <troupe/io/stream_errors.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/timeout.hpp>

#include <algorithm>
#include <system_error>
#include <utility>

// How a node looks for others, and says why there is no connection with one.

namespace troupe::cluster {

namespace {

// Of those that peers have told of: who has a certificate is believed, but not without end.
constexpr std::size_t most_addresses = 10'000;
// Of whom it was said why there is no connection.
constexpr std::size_t most_told_of = 1'000;
constexpr std::size_t most_a_minute = 10;  // reports of one

}  // namespace

bool internal::is_of_the_network(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& why) {
    return why.code().category() == std::system_category() ||
           why.code().category() == std::generic_category();
  } catch (const io::incomplete_read&) {
    return true;
  } catch (const timeout_error&) {
    return true;
  } catch (...) {
    return false;
  }
}

void node::core::look_for(const io::endpoint& there, bool for_good) {
  const std::string address = there.text();
  const auto known = looking_.find(address);
  if (known != looking_.end() && !known->second.looks.done()) {
    known->second.for_good = known->second.for_good || for_good;
    return;
  }
  std::erase_if(looking_, [](const auto& each) { return each.second.looks.done(); });
  auto looks = create_task(keep_looking(there), {.name = "node: look for " + address});
  looking_.insert_or_assign(address, looked_for{std::move(looks), for_good, {}});
}

void node::core::look_for_name(const std::string& seed) {
  auto looks = create_task(keep_resolving(seed), {.name = "node: look for " + seed});
  looking_.insert_or_assign(seed, looked_for{std::move(looks), true, {}});
}

void node::core::heard_of(const node_id& other, const std::string& address) {
  // Of two nodes the lower one makes the connection.
  if (!(info_.id < other) || peers.contains(other) || looking_.size() >= most_addresses) return;
  try {
    const io::endpoint there = io::endpoint::parse(address);
    expect_safe(there, "connect to");
    look_for(there, false);
  } catch (const std::exception&) {  // of a family that is not known here
  }
}

void node::core::failed(const std::string& who, const std::exception_ptr& why, bool is_told) {
  const std::string text = why != nullptr ? troupe::describe(why) : std::string();
  if (const auto looking = looking_.find(who); looking != looking_.end())
    looking->second.trouble = text;
  if (!is_told) return;
  // Once for each reason, and not without end, whatever others do.
  if (told_of_.size() >= most_told_of) told_of_.clear();
  told_reasons& told = told_of_[who];
  if (told.count == 0 || home_.time() - told.since >= std::chrono::minutes(1)) {
    told.since = home_.time();
    told.count = 0;
  }
  if (told.texts.contains(text) || told.count == most_a_minute) return;
  if (told.texts.size() == most_a_minute) told.texts.clear();
  told.texts.insert(text);
  ++told.count;
  home_.report({"node '" + info_.name + "' has no connection with " + who, why});
}

coro<> node::core::keep_resolving(std::string seed) {
  const std::shared_ptr<core> alive = shared_from_this();
  const std::size_t colon = seed.rfind(':');
  std::string host = seed.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  while (!leaving_) {
    std::exception_ptr why;
    try {
      auto resolving = io::resolve(host, seed.substr(colon + 1));
      for (const io::endpoint& each : co_await std::move(resolving)) {
        expect_safe(each, "connect to");
        look_for(each, false);
      }
    } catch (const std::exception&) {
      why = std::current_exception();
    }
    failed(seed, why, why != nullptr);
    co_await sleep(options_.slowest_retry);
  }
}

coro<> node::core::keep_looking(io::endpoint there) {
  const std::shared_ptr<core> alive = shared_from_this();
  duration pause = options_.retry;
  const std::string address = there.text();
  node_id last;  // who was there
  time_point answered = home_.time();
  const auto is_there = [&] {
    return peers.contains(last) || std::any_of(peers.begin(), peers.end(), [&](const auto& each) {
             return each.second->info().address == address;
           });
  };
  while (!leaving_ && address != info_.address) {
    if (!is_there()) {
      auto dialling = dial(there, address);
      const std::optional<node_id> found = co_await std::move(dialling);
      if (found == info_.id) break;
      if (found) {
        last = *found;
        pause = options_.retry;
        answered = home_.time();
      }
    } else {
      answered = home_.time();
    }
    const auto known = looking_.find(address);
    const bool for_good = known == looking_.end() || known->second.for_good;
    if (!for_good && home_.time() - answered >= options_.forget) break;
    co_await sleep(pause);
    pause = std::min(pause * 2, options_.slowest_retry);
  }
}

coro<std::optional<node_id>> node::core::dial(io::endpoint there, std::string address) {
  std::exception_ptr why;
  bool is_told = false;  // it may just not be there yet
  std::optional<node_id> found;
  try {
    auto opening = io::open_connection(there);
    io::stream wire = co_await timeout(options_.handshake, std::move(opening));
    is_told = true;
    if (options_.secure_dialled) {
      auto securing = options_.secure_dialled(std::move(wire));
      wire = co_await timeout(options_.handshake, std::move(securing));
    }
    auto talking = talk(std::move(wire), true);
    found = co_await std::move(talking);
  } catch (const std::exception&) {
    why = std::current_exception();
    is_told = is_told && !internal::is_of_the_network(why);
  }
  failed(address, why, is_told && why != nullptr);
  co_return found;
}

}  // namespace troupe::cluster
