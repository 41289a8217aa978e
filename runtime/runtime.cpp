#include <troupe/runtime/runtime.hpp>

#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/signals.hpp>
#include <troupe/runtime/thread_pool.hpp>

#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace troupe {

namespace {

constexpr int countings = 3;  // of the loops that are empty, at the end

}  // namespace

runtime::runtime(const run_options& options) : options_(options) {
  if (options_.threads == 0) throw std::invalid_argument("a runtime needs at least one thread");
  internal::simulator* const simulated = internal::current_simulator();
  if (options_.virtual_time && options_.threads > 1 && simulated == nullptr) {
    throw std::invalid_argument(
        "virtual time needs a runtime of one thread, or a simulation around it");
  }
  if (simulated != nullptr) options_.handle_interrupt = false;
  auto opened = std::make_unique<loop::handle[]>(options_.threads);
  for (std::size_t index = 0; index < options_.threads; ++index) {
    opened[index] = loop::open({.owner = this,
                                .index = index,
                                .virtual_time = options_.virtual_time,
                                .eager_tasks = options_.eager_tasks,
                                .debug = options_.debug,
                                .on_failure = options_.on_failure,
                                .simulator = simulated});
  }
  pool_ = new thread_pool(options_.pool_threads);
  loops_ = opened.release();
  size_ = options_.threads;
}

runtime::~runtime() {
  expects(loop::current() == nullptr, "a runtime was destroyed inside a running loop");
  close();
  delete pool_;
}

void runtime::expect_idle() {
  if (loop::current() != nullptr)
    throw invalid_state("a runtime was used inside a running loop: await the coroutine instead");
}

loop& runtime::get_loop() {
  if (loops_ == nullptr) throw invalid_state("this runtime has been closed");
  return loop_at(0);
}

void runtime::close() {
  if (loops_ == nullptr) return;
  expect_idle();
  shut_down();
  delete[] std::exchange(loops_, nullptr);
}

runtime* runtime::current() noexcept {
  return loop::current() != nullptr ? loop::current()->owner() : nullptr;
}

loop& runtime::next_spread() noexcept {
  return loop_at(spread_.fetch_add(1, std::memory_order_relaxed) % size());
}

loop& runtime::least_loaded() noexcept {
  loop* least = &loop_at(0);
  for (std::size_t index = 1; index < size(); ++index) {
    if (loop_at(index).load().actors < least->load().actors) least = &loop_at(index);
  }
  return *least;
}

std::vector<loop_load> runtime::loads() const {
  std::vector<loop_load> all;
  for (std::size_t index = 0; index < size_; ++index) all.push_back(loops_[index]->load());
  return all;
}

/// The threads of all loops but the first, for as long as the first one runs.
class runtime::threads {
 public:
  explicit threads(runtime& owner) : owner_(owner) {
    if (owner.loop_at(0).simulator() != nullptr) return;  // which runs them all
    try {
      for (std::size_t index = 1; index < owner.size(); ++index) {
        running_.emplace_back([&home = owner.loop_at(index)] { home.run_forever(); });
      }
    } catch (...) {
      join();
      throw;
    }
  }
  ~threads() { join(); }
  threads(const threads&) = delete;
  threads& operator=(const threads&) = delete;

  void join() {
    for (std::size_t index = 1; index <= running_.size(); ++index) {
      loop& home = owner_.loop_at(index);
      static_cast<void>(home.post_call([&home] { home.stop(); }));
    }
    for (std::thread& each : running_) each.join();
    running_.clear();
  }

 private:
  runtime& owner_;
  std::vector<std::thread> running_;
};

void runtime::drive(task_base& main) {
  loop& first = loop_at(0);
  interrupted_ = false;
  const auto on_interrupt = [this, &main] {
    if (interrupted_) {
      std::signal(SIGINT, SIG_DFL);
      std::raise(SIGINT);
    }
    interrupted_ = true;
    main.cancel();
  };
  std::optional<internal::scoped_signal> interrupt;
  try {
    try {
      if (options_.handle_interrupt) interrupt.emplace(first, SIGINT, on_interrupt);
    } catch (const invalid_state&) {
      // Another runtime of the process answers it.
    }
    if (threads_ == nullptr) threads_ = new threads(*this);
  } catch (...) {
    main.cancel();  // before its first step, which the closing of its loop would run
    throw;
  }
  first.drive(main);
}

void runtime::shut_down() noexcept {
  loop& first = loop_at(0);
  if (internal::simulator* const simulated = first.simulator()) simulated->shuts_down();
  const internal::owned<threads> running(std::exchange(threads_, nullptr));
  // Without threads only the first loop has ever run.
  const std::size_t in_use = running ? size() : 1;
  for (std::size_t index = 0; index < in_use; ++index) {
    loop& each = loop_at(index);
    // Called whenever the loop finds itself empty. It counts once for each counting; the last one to count ends it.
    auto empty = [this, &first, counted = 0U]() mutable {
      const unsigned counting = counting_.load();
      if (std::exchange(counted, counting) == counting || not_empty_.fetch_sub(1) != 1) return;
      if (loop::current() == &first) {
        first.stop();
      } else {
        first.post_call([&first] { first.stop(); });
      }
    };
    each.post_call(
        [&each, told = std::move(empty)]() mutable { each.begin_shutdown(std::move(told)); });
  }
  struct deadline : timer {
    explicit deadline(runtime& given) noexcept : timer(&deadline::on_due), owner(given) {}
    static void on_due(timer& self) noexcept {
      auto& limit = static_cast<deadline&>(self);
      loop& first = limit.owner.loop_at(0);
      if (std::exchange(limit.insisted, true)) {
        first.stop();
        return;
      }
      for (std::size_t index = 0; index < limit.owner.size(); ++index) {
        loop& each = limit.owner.loop_at(index);
        each.post_call([&each] { each.insist_on_shutdown(); });
      }
      first.timers().arm(
          limit, internal::saturating_add(first.time(), limit.owner.options_.shutdown_timeout));
    }
    runtime& owner;
    bool insisted = false;
  } limit(*this);
  if (options_.shutdown_timeout != infinite) {
    first.timers().arm(limit, internal::saturating_add(first.time(), options_.shutdown_timeout));
  }
  // A loop that was empty may get work from the last actors of another, so all are counted again until that has settled.
  for (int times = 0; times < countings; ++times) {
    not_empty_ = in_use;
    ++counting_;
    for (std::size_t index = 0; index < in_use; ++index) {
      // The first counting follows the notice to all tasks; those found by a later one were made since, and have had none.
      loop_at(index).post_call([&each = loop_at(index), again = times > 0] {
        if (again) each.tasks().cancel_all();
      });
    }
    first.run_forever();
    if (not_empty_ != 0) break;
  }
  first.timers().cancel(limit);
  const bool late = not_empty_ != 0;
  if (late && in_use > 1)
    first.report(
        {"the shutdown does not end in time; waiting for the threads of the other loops", nullptr});
  if (running) running->join();
  if (!pool_->shut_down(options_.shutdown_timeout))
    first.report({"the shutdown did not end in time; calls of to_thread still run", nullptr});
  if (!late) return;
  std::string left;
  for (std::size_t index = 0; index < size(); ++index) left += loop_at(index).unfinished();
  first.report(
      {"the shutdown did not end in time; destroyed while still pending:" + left, nullptr});
  for (std::size_t index = 0; index < size(); ++index) loop_at(index).abandon();
  for (std::size_t index = 0; index < size(); ++index) loop_at(index).let_go();
}

}  // namespace troupe
