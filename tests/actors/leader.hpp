// A supervisor and its workers, who note when they come up and go down. In a namespace of its own, for other tests have
// other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::teams {

struct fall {};
struct leave {};
struct rest {};
struct count_up {
  using reply = int;
};
using working = protocol<fall, leave, rest, count_up>;

/// Notes in a journal when it comes up and goes down.
class worker : public actor<working> {
 public:
  worker(journal& into, std::string name) : into_(into), name_(std::move(name)) {
    into_.push_back("+" + name_);
  }
  ~worker() { into_.push_back("-" + name_); }
  void on(fall) { throw std::runtime_error("no rope"); }
  void on(leave) { stop(); }
  coro<> on(rest) { co_await sleep(infinite); }
  int on(count_up) { return ++count_; }

 private:
  journal& into_;
  std::string name_;
  int count_ = 0;
};

struct refs_of {
  using reply = std::vector<actor_ref<working>>;
};
struct give {
  any_actor to_stop;
  any_actor to_restart;
};
using leading = protocol<refs_of, give>;

/// Supervises workers a, b, c...
class leader : public actor<leading> {
 public:
  leader(journal& into, const supervision& rules, const std::vector<child_options>& children) {
    supervise_as(rules);
    char name = 'a';
    for (const child_options& each : children)
      refs_.push_back(supervise<worker>(each, std::ref(into), std::string(1, name++)));
  }
  std::vector<actor_ref<working>> on(refs_of) { return refs_; }
  void on(give g) {
    if (g.to_stop) stop_child(g.to_stop);
    if (g.to_restart) restart_child(g.to_restart);
  }

 private:
  std::vector<actor_ref<working>> refs_;
};

using team = std::vector<actor_ref<working>>;

}  // namespace troupe::testing::teams
