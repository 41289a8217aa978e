// Who listens, speaks and supervises in the tests of interceptions.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/testing/interception.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::overheard {

using namespace std::chrono_literals;

struct word {
  std::string text;
};
struct other {};
struct question {
  using reply = int;
  int asked;
};
struct slow {
  using reply = int;
};
using listening = protocol<word, other, question, slow>;

/// What was heard, and when; survives the actor.
struct notes {
  std::vector<std::string> words;
  std::vector<time_point> times;
  int questions = 0;
  int begun = 0;
  int ended = 0;
  int lives = 0;
  int questions_before_words = 0;

  std::string all() const {
    std::string text;
    for (const std::string& each : words) text += each;
    return text;
  }
};

class listener : public actor<listening> {
 public:
  explicit listener(notes& to) : notes_(to) { ++notes_.lives; }
  void on(word heard) {
    if (notes_.words.empty()) notes_.questions_before_words = notes_.questions;
    notes_.words.push_back(heard.text);
    notes_.times.push_back(now());
  }
  void on(other) {
    notes_.words.push_back("!");
    notes_.times.push_back(now());
  }
  int on(question heard) {
    ++notes_.questions;
    return heard.asked + 1;
  }
  coro<int> on(slow) {
    ++notes_.begun;
    co_await sleep(1s);
    co_await sleep(1s);
    ++notes_.ended;
    co_return 7;
  }

 private:
  static time_point now() { return loop::current()->time(); }
  notes& notes_;
};

struct go {};
class speaker : public actor<protocol<go>> {
 public:
  speaker(actor_ref<listening> to, std::string text) : to_(std::move(to)), text_(std::move(text)) {}
  coro<> on(go) {
    to_.tell(word{text_});
    co_await sleep(1ms);
    to_.tell(word{text_});
  }

 private:
  actor_ref<listening> to_;
  std::string text_;
};

/// In one world, in its natural order.
template <class Body>
void in_world(Body body, std::size_t threads = 1) {
  first_come natural;
  simulation world(natural, {.threads = threads});
  world.run(body());
}

/// What the ask fails with, or nothing.
template <class T>
coro<std::string> failure_of(future<T> answer) {
  try {
    static_cast<void>(co_await std::move(answer));
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "";
}

inline std::string spoken(const notes& by) { return by.all(); }

struct whom {
  using reply = actor_ref<listening>;
};
/// Has a listener, and starts it again when it falls.
class supervisor : public actor<protocol<whom>> {
 public:
  explicit supervisor(notes& to) {
    supervise_as({.within = 1min, .delay = {.first = 1ms}});
    child_ = supervise<listener>({.name = "child"}, std::ref(to));
  }
  actor_ref<listening> on(whom) { return child_; }

 private:
  actor_ref<listening> child_;
};

}  // namespace troupe::testing::overheard
