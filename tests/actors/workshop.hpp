// A workshop: what a pool of workers does, for tests to look at. In a namespace of its own, for other tests have other
// messages of these names.
#pragma once

#include <troupe/actors/pool.hpp>
#include <troupe/actors/reply_to.hpp>

#include "actors/helpers.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::workshops {

struct job {  // takes a second
  using reply = int;
  int number;
};
struct errand {
  int number;
};
struct crash {
  using reply = int;
};
struct leave {
  using reply = int;
};
struct put_off {
  using reply = int;
};
struct finish {};
using working = protocol<job, errand, crash, leave, put_off, finish>;

/// What the workers of one test share.
struct workshop {
  journal into;
  int alive = 0;
  int active = 0;
  int most_active = 0;
  int to_throw = 0;  ///< constructors that are to throw
  std::optional<any_actor> last;
};

class worker : public actor<working> {
 public:
  explicit worker(workshop& at) : at_(at) {
    if (at_.to_throw > 0) {
      --at_.to_throw;
      throw std::runtime_error("no tools");
    }
    ++at_.alive;
    at_.last = self();
  }
  ~worker() { --at_.alive; }
  coro<int> on(job j) {
    at_.most_active = std::max(at_.most_active, ++at_.active);
    at_.into.push_back("job " + std::to_string(j.number));
    struct end {
      ~end() { --at.active; }
      workshop& at;
    };
    const end at_the_end{at_};
    co_await sleep(1s);
    co_return j.number;
  }
  void on(errand e) { at_.into.push_back("errand " + std::to_string(e.number)); }
  int on(crash) { throw std::runtime_error("broken"); }
  int on(leave) {
    stop();
    return 1;
  }
  void on(put_off, reply_to<int> reply) { kept_.push_back(std::move(reply)); }
  void on(finish) {
    for (auto& each : kept_) each.answer(7);
    kept_.clear();
  }

 private:
  workshop& at_;
  std::vector<reply_to<int>> kept_;
};

/// Runs `body` on a workshop, which it returns; failures are expected.
inline workshop play(coro<> (*body)(workshop&)) {
  workshop at;
  failure_log log;
  testing::run(body(at), &log);
  return at;
}

inline actor_ref<working> spawn_pool(workshop& at, pool_options options) {
  return spawn<pool<worker>>(options, std::ref(at));
}

inline std::string first_words(std::string text, const char* end) {
  return text.substr(0, text.find(end));
}

}  // namespace troupe::testing::workshops
