// Processes that note their end, and the story of their lives. In a namespace of its own, for other tests have other
// messages of these names.
#pragma once

#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace troupe::testing::mourning {

struct note {
  std::string text;
};
struct question {
  using reply = int;
};
struct fall {};
using noting = protocol<note, question, fall>;
using noting_box = mailbox<note, question, fall>;

/// Notes in a journal that something of it ends.
class mourner {
 public:
  mourner(journal& into, std::string what) : into_(into), what_(std::move(what)) {}
  mourner(const mourner&) = delete;
  mourner& operator=(const mourner&) = delete;
  ~mourner() { into_.push_back(what_ + " gone"); }

 private:
  journal& into_;
  std::string what_;
};

/// Notes what comes; cleans up for a second when it is cancelled.
inline coro<> tidy(noting_box& inbox, journal& into) {
  const mourner frame(into, "frame");
  try {
    for (;;) {
      auto got = co_await inbox.receive();
      if (std::get_if<fall>(&got) != nullptr) throw std::runtime_error("no rope");
      if (auto* const n = std::get_if<note>(&got)) into.push_back(n->text);
    }
  } catch (const cancelled&) {
    into.push_back("cancelled");
  }
  co_await sleep(1s);
  into.push_back("cleaned up");
}

class class_child : public actor<noting> {
 public:
  class_child(journal& into, std::string name) : mourner_(into, std::move(name)) {}
  void on(note) {}
  int on(question) { return 1; }
  void on(fall) {}

 private:
  mourner mourner_;
};

struct played {
  journal into;
  failure_log log;
};

/// Runs `scene` with a journal; failures are expected.
template <class Scene>
played play(Scene scene) {
  played result;
  auto body = scene(result.into);
  testing::run(std::move(body), &result.log);
  return result;
}

inline coro<std::string> reason_of(future<exit_reason> end) {
  const exit_reason why = co_await end;
  co_return why.text();
}

}  // namespace troupe::testing::mourning
