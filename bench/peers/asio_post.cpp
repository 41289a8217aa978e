// Handlers on asio::post, no actors and no mailboxes: what a message would cost if it were nothing
// but an entry in asio's own queue. Its ping-pong on one thread is the suite's unit, the hop.
// With two loops there is one io_context and one thread for each end.
#include <asio.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "../task_cases.hpp"

namespace {

using work_guard = asio::executor_work_guard<asio::io_context::executor_type>;

// Two io_contexts, each with a thread, or the same one under both names.
class contexts {
 public:
  explicit contexts(int loops)
      : second_{loops > 1 ? std::make_unique<asio::io_context>(1) : nullptr} {}

  asio::io_context& here() { return first_; }
  asio::io_context& there() { return second_ ? *second_ : first_; }

  // Runs until the work has ended. `here()` belongs to the calling thread; `finish` must be called.
  void run() {
    if (!second_) {
      first_.run();
      return;
    }
    guards_.emplace_back(first_.get_executor());
    guards_.emplace_back(second_->get_executor());
    std::thread other{[this] { second_->run(); }};
    first_.run();
    other.join();
  }

  // Threads: any. Lets both contexts run out of work.
  void finish() {
    if (!second_) return;
    first_.stop();
    second_->stop();
  }

 private:
  asio::io_context first_{1};
  std::unique_ptr<asio::io_context> second_;
  std::vector<work_guard> guards_;
};

struct table_tennis {
  contexts& both;
  std::int64_t left;
};

struct ping {
  table_tennis& game;
  std::int64_t value;
  void operator()() const;
};

struct pong {
  table_tennis& game;
  std::int64_t value;
  void operator()() const;
};

void ping::operator()() const {
  if (--game.left <= 0) return game.both.finish();
  asio::post(game.both.there(), pong{game, value + 1});
}

void pong::operator()() const {
  if (--game.left <= 0) return game.both.finish();
  asio::post(game.both.here(), ping{game, value + 1});
}

double pingpong(const bench::request& wanted) {
  return bench::per_operation(wanted, [&](std::int64_t count) {
    contexts both{wanted.loops};
    table_tennis game{both, count};
    asio::post(both.here(), ping{game, 0});
    bench::stopwatch watch;
    both.run();
    return watch.nanoseconds();
  });
}

struct receiver {
  contexts& both;
  std::int64_t left;
  std::int64_t sum = 0;

  void receive(std::int64_t value) {
    sum += value;
    if (--left == 0) both.finish();
  }
};

// Sends a chunk, then goes to the back of its own context's queue. With two loops every second
// sender is at home where the receiver is, the first is not.
struct sender {
  receiver& to;
  asio::io_context& home;
  std::int64_t left;

  void operator()() {
    for (std::int64_t i = 0; i < bench::chunk && left > 0; ++i, --left) {
      asio::post(to.both.here(), [&to = to, value = left] { to.receive(value); });
    }
    if (left > 0) asio::post(home, sender{*this});
  }
};

template <int Senders>
double fan_in(const bench::request& wanted) {
  return bench::per_operation(wanted, [&](std::int64_t count) {
    contexts both{wanted.loops};
    receiver to{both, count};
    for (int i = 0; i < Senders; ++i) {
      asio::io_context& home = i % 2 == 0 ? both.there() : both.here();
      asio::post(home, sender{to, home, count / Senders});
    }
    bench::stopwatch watch;
    both.run();
    return watch.nanoseconds();
  });
}

// One context, run by as many threads as there are loops.
double spread(const bench::request& wanted) {
  const auto run = [&](std::int64_t count) {
    asio::io_context context{wanted.loops};
    work_guard guard{context.get_executor()};
    std::vector<std::thread> others;
    for (int i = 1; i < wanted.loops; ++i) others.emplace_back([&] { context.run(); });
    std::atomic<std::int64_t> left{count};
    std::atomic<std::uint64_t> sum{0};
    const bench::stopwatch watch;
    for (std::int64_t i = 1; i <= count; ++i) {
      asio::post(context, [&, seed = static_cast<std::uint64_t>(i)] {
        sum += bench::spread_work(seed);
        if (--left == 0) context.stop();
      });
    }
    context.run();
    for (std::thread& other : others) other.join();
    return watch.nanoseconds();
  };
  return bench::per_operation(wanted, run, bench::spread_tasks, bench::spread_tasks);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"pingpong", "asio-post", 1, "ns", pingpong},
                      {"pingpong", "asio-post", 2, "ns", pingpong},
                      {"fanin1", "asio-post", 1, "ns", fan_in<1>},
                      {"fanin1", "asio-post", 2, "ns", fan_in<1>},
                      {"fanin8", "asio-post", 1, "ns", fan_in<8>},
                      {"fanin8", "asio-post", 2, "ns", fan_in<8>},
                      {"spread", "asio-post", 1, "ns", spread},
                      {"spread", "asio-post", 2, "ns", spread}});
}
