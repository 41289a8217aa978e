// Connections whose owners and peers do anything in any order: whatever happens, the promises hold.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"
#include "support/random_numbers.hpp"

#include <cstdint>
#include <map>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// What one connection promised and did.
struct ledger {
  std::size_t granted = 0;
  std::size_t received = 0;
  std::size_t written = 0;
  std::size_t flushed = 0;
  int ends = 0;
  int closings = 0;
  int broken_promises = 0;
};

/// Holds every event against the ledger of its connection.
using ledgers = std::map<internal::cell*, ledger>;
class auditor : public actor<io::connection_events> {
 public:
  explicit auditor(std::shared_ptr<ledgers> books) : shared_(std::move(books)), books_(*shared_) {}
  void on(io::data d) {
    ledger& of = book(d.from);
    of.received += d.chunk.size();
    if (d.chunk.empty() || of.received > of.granted || of.ends != 0) ++of.broken_promises;
  }
  void on(io::end_of_data e) {
    ledger& of = book(e.from);
    if (++of.ends != 1) ++of.broken_promises;
  }
  void on(io::drained d) {
    ledger& of = book(d.from);
    of.flushed += d.bytes;
    if (of.flushed > of.written) ++of.broken_promises;
  }
  void on(io::closed c) { ++book(c.from).closings; }

 private:
  ledger& book(const connection_ref& of) {
    ledger& found = books_[of.cell()];
    if (found.closings != 0) ++found.broken_promises;
    return found;
  }

  std::shared_ptr<ledgers> shared_;
  ledgers& books_;
};

struct party {
  connection_ref connection;
  peer theirs;
};

void owner_acts(party& in, ledger& book, random_numbers& chance) {
  switch (chance.below(24)) {
    case 0:
      in.connection.tell(io::write_eof{});
      break;
    case 1:
      in.connection.tell(io::close{});
      break;
    case 2:
      in.connection.tell(io::abort{});
      break;
    case 3:
      in.connection.stop();
      break;
    default: {
      const std::size_t size = chance.below(4) == 0 ? chance.below(100'000) : chance.below(600);
      if (chance.below(2) == 0) {
        book.granted += size;
        in.connection.tell(io::demand{size});
      } else {
        book.written += size;
        in.connection.tell(text(std::string(size, 'w')));
      }
    }
  }
}

void peer_acts(party& in, random_numbers& chance) {
  if (in.theirs.native() < 0) return;
  switch (chance.below(24)) {
    case 0:
      static_cast<void>(::shutdown(in.theirs.native(), SHUT_WR));
      break;
    case 1:
      in.theirs.close();
      break;
    case 2:
      in.theirs.reset();
      break;
    case 3:
      static_cast<void>(::send(in.theirs.native(), "!", 1, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT));
      break;
    default: {
      std::string got;
      if (chance.below(2) == 0) {
        in.theirs.send_now(std::string(1 + chance.below(50'000), 'p'));
      } else {
        in.theirs.receive_now(got, 1 + chance.below(100'000));
      }
    }
  }
}

coro<> storm(std::uint64_t seed, std::size_t loops) {
  constexpr std::size_t parties = 8;
  random_numbers chance(seed);
  const auto shared = std::make_shared<ledgers>();
  ledgers& books = *shared;
  auto owner = spawn<auditor>(shared);
  std::vector<party> all;
  for (std::size_t index = 0; index < parties; ++index) {
    wire ends = chance.below(2) == 0 ? make_wire() : make_wire(8 << 10, 8 << 10);
    const io::connection_options options{.write_window = chance.below(200'000),
                                         .largest_chunk = chance.below(70'000)};
    auto connection =
        spawn<io::tcp_connection>(place::on(index % loops), std::move(ends.ours), owner, options);
    books[connection.cell()] = {};
    all.push_back({std::move(connection), std::move(ends.theirs)});
  }
  const std::size_t steps = 20 + chance.below(400);
  for (std::size_t step = 0; step < steps; ++step) {
    party& chosen = all[chance.below(parties)];
    if (chance.below(2) == 0) {
      owner_acts(chosen, books[chosen.connection.cell()], chance);
    } else {
      peer_acts(chosen, chance);
    }
    if (chance.below(4) == 0) co_await sleep(0s);
  }
  for (const party& each : all) each.connection.stop();
  co_await poll_until([&] {
    return std::all_of(books.begin(), books.end(),
                       [](const auto& each) { return each.second.closings != 0; });
  });
  co_await turns();
  INFO("seed " << seed);
  for (const auto& [cell, book] : books) {
    CHECK(book.closings == 1);
    CHECK(book.broken_promises == 0);
  }
}

}  // namespace

TEST_CASE(
    "whatever owners and peers do, every connection keeps its promises and says closed once") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) run_scenario(storm(seed, 1));
}

TEST_CASE("whatever owners and peers do, connections on two loops keep their promises too") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) run_scenario(storm(seed, 2), 2);
}
