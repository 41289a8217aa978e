// An actor that writes down what it is told, at once or when some time has passed. In a namespace of its own, for other
// tests have other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/sleep.hpp>

#include "actors/helpers.hpp"

#include <string>

namespace troupe::testing::writing {

struct note {
  std::string text;
};
struct wait_and_note {
  std::string text;
  duration time = 1s;
};

class scribe : public actor<protocol<note, wait_and_note>> {
 public:
  explicit scribe(journal& pages) : pages_(pages) {}
  void on(note n) { pages_.push_back(n.text); }
  coro<> on(const wait_and_note& w) {
    pages_.push_back("begin " + w.text);
    co_await sleep(w.time);
    pages_.push_back("end " + w.text);
  }

 private:
  journal& pages_;
};

}  // namespace troupe::testing::writing
