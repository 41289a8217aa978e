// A door: a state machine that is closed, opened or locked, and notes what its states do. In a namespace of its own, for
// other tests have other messages of these names.
#pragma once

#include <troupe/actors/state_machine.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::testing::doors {

struct push {};
struct pull {
  using reply = int;
};
struct knock {
  using reply = std::string;
};
struct wait_and_push {
  using reply = int;
  duration time;
};
struct deliver {
  using reply = void;
};
struct how {
  using reply = std::string;
};
struct whim {  // changes state, and then does something else
  using reply = void;
  explicit whim(std::string given) : what(std::move(given)) {}
  std::string what;
};
struct shut_itself {};
struct end {};
using door_protocol =
    protocol<push, pull, knock, wait_and_push, deliver, how, whim, shut_itself, end>;

class closed;
class opened;
class locked;

class door : public state_machine<door, door_protocol, closed, opened, locked> {
 public:
  explicit door(journal& given, std::string given_whim = "", int& given_alive = nobody)
      : into(given), alive(given_alive), whims(std::move(given_whim)) {}
  ~door() { into.emplace_back("door destroyed"); }
  std::string on(how) { return std::string(state_name()); }
  void on(whim w);
  void on(end) { stop(); }
  std::string on(knock) { return "nobody hears"; }
  void on_stop() { into.emplace_back("on_stop"); }

  journal& into;
  int& alive;
  std::string whims;  ///< what states do when they are entered or left
  int pulled = 0;

 private:
  static inline int nobody = 0;
};

class closed : public door::state {
 public:
  closed() : here_(machine().alive) { machine().into.emplace_back("closed made"); }
  ~closed() { machine().into.emplace_back("closed gone"); }
  void on_enter() { machine().into.emplace_back("enters closed"); }
  void on_exit() { machine().into.emplace_back("exits closed"); }
  void on(push) { become<opened>(1); }
  coro<int> on(wait_and_push w) {
    become<opened>(2);
    machine().into.emplace_back("waits");
    co_await sleep(w.time);
    machine().into.push_back(machine().in_state<closed>() ? "still closed" : "not closed");
    co_return ++machine().pulled;
  }
  void on(deliver d, reply_to<void> reply) { stash(d, std::move(reply)); }

 private:
  counted here_;
};

class opened : public door::state {
 public:
  explicit opened(int by) : here_(machine().alive) {
    if (by == 13) throw std::runtime_error("unlucky");
    machine().into.push_back("opened made by " + std::to_string(by));
  }
  void on_enter() {
    machine().into.emplace_back("enters opened");
    unstash_all();
    if (machine().whims == "shuts itself") start_state_timer(1s, shut_itself{});
    if (machine().whims == "springs back") become<closed>();
    if (machine().whims == "breaks") throw std::runtime_error("no hinge");
    if (machine().whims == "stops") stop();
  }
  void on_exit() {
    machine().into.emplace_back("exits opened");
    if (machine().whims == "locks") become<locked>();
    if (machine().whims == "sticks") throw std::runtime_error("stuck");
  }
  int on(pull) {
    become<closed>();
    return ++machine().pulled;
  }
  std::string on(knock) { return "come in"; }
  void on(deliver) { machine().into.emplace_back("delivered"); }
  void on(shut_itself) { become<closed>(); }

 private:
  counted here_;
};

class locked : public door::state {
 public:
  locked() : here_(machine().alive) {}
  void on_enter() {
    machine().into.emplace_back("enters locked");
    if (machine().whims == "for ever") become<locked>();
  }

 private:
  counted here_;
};

inline void door::on(whim w) {
  become<locked>();
  become<opened>(3);
  if (w.what == "rejects") throw rejected("not now");
  if (w.what == "crashes") throw std::runtime_error("broken");
  if (w.what == "stops") stop();
  if (w.what == "unlucky") become<opened>(13);
}

using door_ref = actor_ref<door_protocol>;

/// What is noted while `scene` is played to a door, from its first message on.
inline journal play(const std::string& whims,
                    const std::function<coro<>(door_ref, journal&)>& scene,
                    failure_log* log = nullptr) {
  journal into;
  int alive = 0;
  auto body = [&]() -> coro<> {
    auto one = spawn<door>(std::ref(into), whims, std::ref(alive));
    co_await settle();
    if (into != journal{"closed made", "enters closed"}) fail("it began otherwise");
    into.clear();
    co_await scene(one, into);
    co_await settle();
    one.kill();
    co_await settle();
    into.erase(std::remove(into.begin(), into.end(), "door destroyed"), into.end());
    while (!into.empty() && into.back() == "closed gone") into.pop_back();
  };
  testing::run(body(), log);
  CHECK(alive == 0);
  return into;
}

/// The name of a state is written by the compiler.
inline std::string short_name(const std::string& name) { return name.substr(name.rfind(':') + 1); }

inline coro<std::string> state_of(door_ref of) {
  std::string name = co_await of.ask(how{});
  co_return short_name(name);
}

}  // namespace troupe::testing::doors
