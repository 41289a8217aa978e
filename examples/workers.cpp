// Workers that share a queue: bounded, so a fast producer waits for them; shut down, so they end when all is done. The work
// blocks, so it is done on threads beside the loop.
// Run: workers        Prints: how many pieces of work each worker did, and their sum
#include <troupe/troupe.hpp>

#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

constexpr int pieces = 30;
constexpr int workers = 3;

/// Something that takes a while and knows nothing of coroutines.
std::uint64_t grind(int piece) {
  std::uint64_t value = static_cast<std::uint64_t>(piece);
  for (int round = 0; round < 10'000; ++round)
    value = value * 6364136223846793005u + 1442695040888963407u;
  return value >> 60;
}

// [workers]
troupe::coro<> produce(troupe::queue<int>& work) {
  for (int piece = 0; piece < pieces; ++piece) co_await work.put(piece);  // waits while it is full
  work.shutdown();                                                        // and nothing more comes
}

troupe::coro<int> consume(troupe::queue<int>& work, std::uint64_t& sum) {
  for (int done = 0;; ++done) {
    int piece = 0;
    try {
      piece = co_await work.get();
    } catch (const troupe::queue_shutdown&) {
      co_return done;
    }
    sum += co_await troupe::to_thread(grind, piece);
  }
}
// [/workers]

troupe::coro<int> amain() {
  troupe::queue<int> work(4);
  std::uint64_t sum = 0;
  std::vector<troupe::coro<int>> crew;
  for (int worker = 0; worker < workers; ++worker) crew.push_back(consume(work, sum));
  auto [done, produced] = co_await troupe::gather(troupe::gather(std::move(crew)), produce(work));
  int all = 0;
  for (const int each : done) all += each;
  std::printf("%d workers did %d pieces of work; the sum is %llu\n", workers, all,
              static_cast<unsigned long long>(sum));
  co_return all == pieces ? 0 : 1;
}

}  // namespace

int main() { return troupe::run_main(amain()); }
