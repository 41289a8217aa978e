#include <troupe/actors/caf/caf_system.hpp>

#include <troupe/actors/caf/internal/core.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/timeout.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace troupe {

namespace {

constexpr duration longest_pause = std::chrono::milliseconds(16);

std::string left_text(std::size_t how_many) {
  if (how_many == 0)
    return "all CAF actors have ended, but not their system: somebody holds a handle of a detached "
           "actor, or a thread has spawned actors that has neither ended since nor called "
           "caf::logger::set_current_actor_system(nullptr)";
  return std::to_string(how_many) + (how_many == 1 ? " CAF actor has" : " CAF actors have") +
         " not ended, although told to exit: detached and blocking ones end by themselves only";
}

coro<> until_over(std::shared_ptr<internal::caf_core> core) { co_await core->ended().wait(); }

coro<bool> over_within(std::shared_ptr<internal::caf_core> core, duration limit) {
  try {
    auto over = until_over(std::move(core));
    co_await timeout(limit, std::move(over));
  } catch (const timeout_error&) {
    co_return false;
  }
  co_return true;
}

}  // namespace

caf_actors_left::caf_actors_left(std::size_t how_many)
    : std::runtime_error(left_text(how_many)), count(how_many) {}

caf_system::caf_system() : caf_system(std::make_unique<::caf::actor_system_config>()) {}

caf_system::caf_system(std::unique_ptr<::caf::actor_system_config> config)
    : core_(internal::caf_core::make(std::move(config))) {}

caf_system::~caf_system() {
  if (!core_->over()) core_->request_end();
}

::caf::actor_system& caf_system::operator*() const noexcept {
  expects(!core_->over(), "a caf_system was used that has ended");
  return core_->system();
}

std::size_t caf_system::running() const noexcept { return core_->running(); }

coro<> caf_system::actors_done(std::size_t but) const {
  const std::shared_ptr<internal::caf_core> core = core_;
  duration pause = std::chrono::milliseconds(1);
  while (core->running() > but) {
    co_await sleep(pause);
    pause = std::min(2 * pause, longest_pause);
  }
}

coro<> caf_system::shutdown(duration patience) const {
  const std::shared_ptr<internal::caf_core> core = core_;
  if (loop::current() != &core->home())
    throw invalid_state("a caf_system was to be shut down on another loop than its own");
  core->begin_end();
  auto by_itself = over_within(core, patience);
  if (co_await std::move(by_itself)) co_return;
  core->kill_all();
  auto killed = over_within(core, patience);
  if (!co_await std::move(killed)) throw caf_actors_left(core->running());
}

}  // namespace troupe
