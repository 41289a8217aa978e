// Records that were changed on the way, against both sides: whatever comes, each side ends by an error or by the end of data, and never by
// anything else. The seed is fixed; what is changed depends on nothing else but the keys.
#include <troupe/io/tls/internal/tls_transport.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/odd_transports.hpp"
#include "io/tls/support.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::tls;
using namespace std::chrono_literals;

namespace {

/// What is done to the records that pass.
struct damage {
  std::mt19937 random;
  std::size_t from = 0;  ///< the first record to be changed
  std::size_t seen = 0;  ///< records that have passed
  std::size_t changed = 0;
  std::size_t among(std::size_t count) { return random() % count; }
};

/// Changes records on their way to the transport below. OpenSSL writes several in one call, and here they are told apart.
class changing final : public io::transport {
 public:
  changing(std::unique_ptr<io::transport> below, damage& how) noexcept
      : below_(std::move(below)), how_(how) {}

  void attach(listener& told) override { below_->attach(told); }
  io::transfer read(std::span<std::byte> into) noexcept override { return below_->read(into); }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    std::size_t size = 0;
    std::string out;
    for (const auto& part : parts) {
      out.append(reinterpret_cast<const char*>(part.data()), part.size());
      size += part.size();
    }
    for (std::size_t at = 0; at + 5 <= out.size();) {
      const std::size_t length =
          std::min(out.size() - at,
                   5 + (static_cast<std::size_t>(static_cast<unsigned char>(out[at + 3])) << 8) +
                       static_cast<unsigned char>(out[at + 4]));
      if (how_.seen++ < how_.from) {
        at += length;
        continue;
      }
      ++how_.changed;
      std::string record = out.substr(at, length);
      change(record);
      out.replace(at, length, record);
      at += record.size();
    }
    const std::span<const std::byte> all = std::as_bytes(std::span(out));
    if (!all.empty()) below_->write({&all, 1});  // there is room for all
    return {size, {}};
  }
  std::error_code end_writing() noexcept override { return below_->end_writing(); }
  void close(bool reset) noexcept override { below_->close(reset); }
  std::string local_name() const override { return "changed"; }
  std::string peer_name() const override { return "changed"; }

 private:
  void change(std::string& record) {
    switch (how_.among(7)) {
      case 0:  // a bit
        record[how_.among(record.size())] ^= static_cast<char>(1 << how_.among(8));
        break;
      case 1:  // a byte of the header
        record[how_.among(std::min<std::size_t>(record.size(), 5))] =
            static_cast<char>(how_.random());
        break;
      case 2:  // a stretch
        for (std::size_t at = how_.among(record.size()), left = how_.among(16);
             left != 0 && at < record.size(); ++at, --left)
          record[at] = static_cast<char>(how_.random());
        break;
      case 3:  // cut off
        record.resize(how_.among(record.size()) + 1);
        break;
      case 4:  // twice
        record += record;
        break;
      case 5:  // another length that fits
        record += std::string(how_.among(64), 'x');
        break;
      default:  // the header's, or the body's first, is of the handshake
        if (record.size() > 8) record[5 + how_.among(3)] = static_cast<char>(how_.random());
        break;
    }
  }
  std::unique_ptr<io::transport> below_;
  damage& how_;
};

/// A session as far as it goes: whatever an end of it throws is an error of the system's kind.
coro<> use(coro<io::stream> making) {
  try {
    io::stream over = co_await std::move(making);
    for (int count = 0; count < 4; ++count) over.write(std::string(40, 'd'));
    over.write_eof();
    for (;;) {
      const io::bytes some = co_await over.read_some();
      if (some.empty()) break;
    }
  } catch (const std::system_error&) {
  }
}

coro<> attack(damage& how, bool client_sends, io::tls_context client, io::tls_context server) {
  auto below = io::memory_transports(1 << 20);
  auto& sender = client_sends ? below.first : below.second;
  sender = std::make_unique<changing>(std::move(sender), how);
  io::stream one(std::move(below.first));
  io::stream other(std::move(below.second));
  auto serving = create_task(
      use(io::accept_tls(std::move(other), std::move(server), {.handshake_timeout = 1s})));
  auto asking =
      use(io::start_tls(std::move(one), std::move(client), "localhost", {.handshake_timeout = 1s}));
  auto limited = [](coro<> with) -> coro<> {
    try {
      co_await timeout(10s, std::move(with));
    } catch (
        const timeout_error&) {  // a record that promises more than comes: as long as the peer likes
    }
  };
  auto first = limited(std::move(asking));
  co_await std::move(first);
  if (!serving.done()) serving.cancel();
  try {
    co_await serving;
  } catch (const cancelled&) {
  }
}

/// All runs on one loop; sessions are made until so many records were changed.
coro<> attacks(std::uint32_t seed, bool client_sends, std::size_t records) {
  io::tls_context client(io::tls_client().trust(authority().trusted()));
  std::size_t changed = 0;
  for (std::uint32_t round = 0; changed < records; ++round) {
    damage how{.random = std::mt19937(seed + round)};
    how.from = how.among(8);  // in the handshake, or in what follows
    // Half of the time with the older version, whose handshake is in the clear.
    SSL_CTX_set_max_proto_version(client.state()->context.get(),
                                  round % 2 == 0 ? 0 : TLS1_2_VERSION);
    co_await attack(how, client_sends, client, server_context());
    changed += how.changed;
  }
}

}  // namespace

TEST_CASE("no changed record does a TLS server harm") {
  testing::run(attacks(20'000, true, 1'000));
}
TEST_CASE("no changed record does a TLS client harm") {
  testing::run(attacks(40'000, false, 1'000));
}

/// Minutes: for who has changed something here. `test-io "[long]"`
TEST_CASE("no hundred thousand changed records do either side of TLS harm", "[.][long]") {
  testing::run(attacks(100'000, true, 100'000));
  testing::run(attacks(900'000, false, 100'000));
}
