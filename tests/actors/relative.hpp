// An actor that has children and notes when it stops. In a namespace of its own, for other tests have other messages
// of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/loop.hpp>

#include "actors/helpers.hpp"

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::families {

struct where {
  using reply = std::size_t;
};
struct grow {  // spawns a child
  std::string name;
};
struct crash {};
struct crash_child {
  std::size_t index;
};
struct say {
  std::string text;
};
using family = protocol<where, grow, crash, crash_child, say>;

/// Notes its birth and death under its name, and has children.
class relative : public actor<family> {
 public:
  relative(journal& pages, std::string name) : pages_(pages), name_(std::move(name)) {}
  ~relative() { pages_.push_back(name_ + " destroyed"); }
  void on_stop() { pages_.push_back(name_ + " stops"); }
  std::size_t on(where) { return loop::current()->index(); }
  void on(grow g) { children_.push_back(spawn<relative>(std::ref(pages_), std::move(g.name))); }
  void on(crash) { throw std::runtime_error("boom"); }
  void on(crash_child c) { children_[c.index].tell(crash{}); }
  void on(say s) { pages_.push_back(name_ + " says " + s.text); }

 private:
  journal& pages_;
  std::string name_;
  std::vector<actor_ref<family>> children_;
};

}  // namespace troupe::testing::families
