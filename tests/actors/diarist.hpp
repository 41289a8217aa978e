// An actor that writes down what happens to it, and what can be told to it. In a namespace of its own, for other
// tests have other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/sleep.hpp>

#include "actors/helpers.hpp"

#include <stdexcept>
#include <string>

namespace troupe::testing::diary {

struct note {
  std::string text;
};
struct count {
  using reply = int;
};
struct linger {  // a coroutine handler that waits
  duration time;
};
struct crash {};
struct end {};
using diary_protocol = protocol<note, count, linger, crash, end>;

/// Writes down what happens to it.
class diarist : public actor<diary_protocol> {
 public:
  explicit diarist(journal& pages) : pages_(pages) { pages_.push_back("constructed"); }
  ~diarist() { pages_.push_back("destroyed"); }

  void on_start() { pages_.push_back("on_start"); }
  void on_stop() { pages_.push_back("on_stop"); }
  void on(note n) { pages_.push_back(n.text); }
  int on(count) { return static_cast<int>(pages_.size()); }
  coro<> on(linger l) {
    pages_.push_back("lingers");
    try {
      co_await sleep(l.time);
    } catch (const cancelled&) {
      pages_.push_back("cancelled");
      throw;
    }
    pages_.push_back("lingered");
  }
  void on(crash) { throw std::runtime_error("boom"); }
  void on(end) { stop(); }

 private:
  journal& pages_;
};

}  // namespace troupe::testing::diary
