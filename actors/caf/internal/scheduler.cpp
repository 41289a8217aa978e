#include <troupe/actors/caf/internal/scheduler.hpp>

#include <troupe/actors/caf/internal/core.hpp>

#include <caf/all.hpp>

#include <cstdio>
#include <string>
#include <unordered_map>

namespace troupe::internal {

namespace {

/// What actors print in a simulation: whole lines, without a thread.
::caf::behavior print_lines(::caf::event_based_actor* self) {
  auto lines = std::make_shared<std::unordered_map<::caf::actor_id, std::string>>();
  const auto flush = [lines](::caf::actor_id from) {
    std::string& line = (*lines)[from];
    std::fputs(line.c_str(), stdout);
    line.clear();
  };
  self->set_default_handler(::caf::drop);  // such as a wish to print into a file
  return {[=](::caf::add_atom, ::caf::actor_id from, const std::string& text) {
            std::string& line = (*lines)[from];
            line += text;
            if (line.ends_with('\n')) flush(from);
          },
          [=](::caf::flush_atom, ::caf::actor_id from) { flush(from); },
          [=](::caf::delete_atom, ::caf::actor_id from) {
            flush(from);
            lines->erase(from);
          }};
}

}  // namespace

void caf_scheduler::enqueue(::caf::resumable* job) { owner_.enqueue(job); }

bool caf_scheduler::detaches_utility_actors() const { return !owner_.simulated(); }

void caf_scheduler::init(::caf::actor_system_config& config) {
  abstract_coordinator::init(config);
  num_workers_ = owner_.loops();
}

void caf_scheduler::start() {
  if (owner_.simulated()) {
    utility_actors_[printer_id] = system().spawn<::caf::hidden + ::caf::lazy_init>(print_lines);
  } else {
    abstract_coordinator::start();
  }
}

void caf_scheduler::stop() {
  if (owner_.simulated()) {
    ::caf::anon_send_exit(printer(), ::caf::exit_reason::user_shutdown);
  } else {
    stop_actors();
  }
  owner_.finish_work();
}

}  // namespace troupe::internal
