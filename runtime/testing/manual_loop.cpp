#include <troupe/runtime/testing/manual_loop.hpp>

#include <stdexcept>

namespace troupe::testing {

namespace {
constexpr std::size_t most_rounds = 1'000'000;
}

manual_loop::manual_loop(failure_log* expected)
    : log_(expected != nullptr ? expected : &own_), checked_(expected == nullptr) {
  loop_options options;
  options.virtual_time = true;
  options.on_failure = log_->handler();
  home_ = loop::open(std::move(options));
}

bool manual_loop::step() {
  const bool more = home_->run_once();
  check();
  return more;
}

std::size_t manual_loop::run_until_idle() {
  std::size_t rounds = 0;
  for (;;) {
    ++rounds;
    if (!step()) return rounds;
    if (rounds == most_rounds)
      throw std::runtime_error("the loop is not idle after a million rounds");
  }
}

void manual_loop::advance(duration time) {
  const time_point end = internal::saturating_add(home_->time(), time);
  do run_until_idle();
  while (home_->advance(end));
}

void manual_loop::check() {
  if (checked_ && !own_.reports().empty()) throw unexpected_failure(own_.text());
}

}  // namespace troupe::testing
