#include <troupe/actors/spawn.hpp>

#include <troupe/runtime/check.hpp>

#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::internal {

constinit thread_local cell* constructing = nullptr;

cell& taken_cell() noexcept {
  cell* const taken = std::exchange(constructing, nullptr);
  expects(taken != nullptr, "an actor was constructed directly: use spawn");
  return *taken;
}

void throw_nowhere() {
  throw invalid_state("spawn needs a running loop, and none runs on this thread");
}

loop& find_place(place wanted) {
  loop& current = this_place();
  if (wanted.what == place::kind::here) return current;
  runtime* const owner = current.owner();
  if (owner == nullptr) return current;
  if (wanted.what == place::kind::spread) return owner->next_spread();
  if (wanted.what == place::kind::least_loaded) return owner->least_loaded();
  if (wanted.index >= owner->size()) {
    throw std::out_of_range("place::on(" + std::to_string(wanted.index) + "): the runtime has " +
                            std::to_string(owner->size()) + " loops; set run_options::threads");
  }
  return owner->loop_at(wanted.index);
}

}  // namespace troupe::internal
