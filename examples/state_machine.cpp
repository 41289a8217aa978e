// A door with a code as a state machine: each state is a class with handlers of its own. Who wants to enter while it is locked
// is put aside until it opens; it locks itself again after a while.
// Run: state_machine        Prints: who enters, and when the door opens and locks
#include <troupe/troupe.hpp>

#include <cstdio>
#include <string>
#include <utility>

using namespace std::chrono_literals;

struct press {
  char key;
};
struct enter {
  using reply = int;  // how many have entered by then
  explicit enter(std::string given) : name(std::move(given)) {}
  std::string name;
};
struct change_code {
  using reply = void;
  explicit change_code(std::string given) : code(std::move(given)) {}
  std::string code;
};
struct visitors {
  using reply = int;
};
struct lock_up {};
using door_protocol = troupe::protocol<press, enter, change_code, visitors, lock_up>;

// [states]
class locked;  // the first one is where it begins
class open;

class door : public troupe::state_machine<door, door_protocol, locked, open> {
 public:
  explicit door(std::string given) : code(std::move(given)) {}

  int on(visitors) { return entered; }  // handled in every state
  void on(press) {}                     // where the state has no handler of its own

  std::string code;
  int entered = 0;
};

class locked : public door::state {
 public:
  void on_enter() { std::puts("locked"); }
  void on(press p) {
    keys_ += p.key;
    if (keys_ == machine().code) return become<open>();  // when this handler has returned
    if (!machine().code.starts_with(keys_)) keys_.clear();
  }
  void on(enter e, troupe::reply_to<int> reply) { stash(std::move(e), std::move(reply)); }

 private:
  std::string keys_;  // gone with the state
};

class open : public door::state {
 public:
  void on_enter() {
    std::puts("open");
    start_state_timer(50ms, lock_up{});  // ends with the state
    unstash_all();                       // they come before all other messages
  }
  int on(enter e) {
    std::printf("%s enters\n", e.name.c_str());
    return ++machine().entered;
  }
  void on(change_code c) { machine().code = std::move(c.code); }
  void on(lock_up) { become<locked>(); }
};
// [/states]

void type_in(const troupe::actor_ref<door_protocol>& at, const char* keys) {
  for (; *keys != '\0'; ++keys) at.tell(press{*keys});
}

troupe::coro<int> amain() {
  auto entrance = troupe::spawn<door>("1234");
  auto ada = entrance.ask(enter("Ada"));
  auto bob = entrance.ask(enter("Bob"));
  try {
    co_await entrance.ask(change_code("0000"));
  } catch (const troupe::rejected& refusal) {
    std::printf("%s\n", refusal.what());
  }
  type_in(entrance, "12999");  // wrong
  type_in(entrance, "1234");
  const int first = co_await ada;
  const int second = co_await bob;

  co_await troupe::sleep(100ms);  // locked by now
  auto eve = entrance.ask(enter("Eve"), 10ms);
  try {
    co_await eve;
  } catch (const troupe::ask_timeout&) {
    std::puts("Eve has gone away");
  }
  type_in(entrance, "1234");
  const int all = co_await entrance.ask(visitors{});
  std::printf("%d visitors\n", all);
  co_return first == 1 && second == 2 && all == 2 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
