// Tasks and time: what is due at the same moment comes in any order, and each of these relies on one.
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>

#include "bugs/bug.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing::bugs;
using namespace std::chrono_literals;

namespace {

/// The time-out of a request that has been answered ends the next one.
coro<> stale_timer(bool planted) {
  std::optional<int> open;
  bool wrong = false;
  task_group group;
  auto time_out = [&](int request) -> coro<> {
    co_await sleep(1s);
    if (!open || (!planted && *open != request)) co_return;
    wrong = wrong || *open != request;
    open.reset();
  };
  auto ask = [&](int request, std::chrono::milliseconds takes) -> coro<> {
    open = request;
    group.create_task(time_out(request));
    co_await sleep(takes);
    if (open == request) open.reset();
    co_await give_way(2);  // reads the answer
  };
  auto ask_both = [&]() -> coro<> {
    co_await ask(1, 1s);
    co_await ask(2, 200ms);
  };
  co_await group.run(ask_both);
  require(!wrong, "a time-out ended a request that was not its own");
}

/// The answer and the time-out race, and what was done is done again.
coro<> applied_twice(bool planted) {
  int balance = 0;
  std::set<int> applied;
  bool acknowledged = false;
  task_group group;
  auto deposit = [&](int request) -> coro<> {
    const bool is_new = applied.insert(request).second;
    if (planted || is_new) balance += 10;
    co_await sleep(1s);  // the way back
    acknowledged = true;
  };
  auto client = [&]() -> coro<> {
    while (!acknowledged) {
      group.create_task(deposit(7));
      co_await give_way(2);
      co_await sleep(1s);
    }
  };
  co_await group.run(client);
  require(balance == 10, "a deposit was made twice");
}

/// What is typed while it is saved is not saved.
coro<> last_change_lost(bool planted) {
  std::string text;
  std::string saved;
  bool dirty = false;
  bool typing = true;
  auto type = [&]() -> coro<> {
    for (const char letter : std::string("ab")) {
      co_await sleep(100ms);
      text += letter;
      dirty = true;
    }
    typing = false;
  };
  auto save = [&]() -> coro<> {
    while (typing || dirty) {
      co_await sleep(100ms);
      if (!dirty) continue;
      const std::string copy = text;
      if (!planted) dirty = false;
      co_await sleep(10ms);  // the disk
      saved = copy;
      if (planted) dirty = false;
    }
  };
  co_await together(type(), save());
  require(saved == text, "the last letter was not saved");
}

/// What was written since the last flush is lost at the end.
coro<> last_batch_lost(bool planted) {
  int waiting = 0;
  int written = 0;
  bool closing = false;
  auto flush_every_second = [&]() -> coro<> {
    for (;;) {
      co_await sleep(1s);
      if (closing && planted) break;
      written += std::exchange(waiting, 0);
      if (closing) break;
    }
  };
  auto log = [&]() -> coro<> {
    for (int line = 0; line < 3; ++line) {
      co_await sleep(1s);
      ++waiting;
    }
    co_await sleep(500ms);
    closing = true;
  };
  co_await together(log(), flush_every_second());
  require(written == 3, "the last lines were lost");
}

/// A lease runs out between the look at it and what it was to protect.
coro<> lease_outlived(bool planted) {
  int lease = 1;
  int newest = 0;
  std::vector<int> written;
  auto store = [&](int token) {
    if (!planted && token < newest) return;
    newest = std::max(newest, token);
    written.push_back(token);
  };
  auto old_owner = [&]() -> coro<> {
    co_await sleep(1s);
    if (lease != 1) co_return;
    co_await give_way();  // the way to the store
    store(1);
  };
  auto new_owner = [&]() -> coro<> {
    co_await sleep(1s);
    lease = 2;
    co_await give_way(3);
    store(2);
  };
  co_await together(old_owner(), new_owner());
  require(std::is_sorted(written.begin(), written.end()), "who had lost the lease wrote last");
}

/// A room is closed, and what saves it every now and then is not stopped before.
coro<> owner_gone(bool planted) {
  bool open = true;
  bool used_afterwards = false;
  auto save = [&]() -> coro<> {
    co_await sleep(1s);
    used_afterwards = !open;
  };
  auto saving = create_task(save());
  co_await give_way(2);
  co_await sleep(1s);
  if (!planted) {
    saving.cancel();
    co_await gather(return_exceptions, saving);
  }
  open = false;
  co_await gather(return_exceptions, saving);
  require(!used_afterwards, "a room was saved that was closed");
}

/// Who looks as often as the other one tells of itself sees too little at times.
coro<> declared_dead(bool planted) {
  bool beat = false;
  bool dead = false;
  auto live = [&]() -> coro<> {
    for (int second = 0; second < 5; ++second) {
      co_await sleep(1s);
      beat = true;
    }
  };
  auto watch = [&]() -> coro<> {
    int missed = 0;
    for (int second = 0; second < 5; ++second) {
      co_await sleep(1s);
      missed = std::exchange(beat, false) ? 0 : missed + 1;
      if (missed == (planted ? 1 : 2)) dead = true;
    }
  };
  co_await together(live(), watch());
  require(!dead, "one who lives was declared dead");
}

/// Of two who may answer only one looks whether the other has.
coro<> answered_twice(bool planted) {
  promise<int> promised;
  auto answer = promised.get_future();
  bool answered = false;
  auto spare = [&]() -> coro<> {
    co_await sleep(500ms);  // to begin with, it waits for the first
    co_await sleep(500ms);
    if (std::exchange(answered, true)) co_return;
    promised.set_value(2);
  };
  auto first = [&]() -> coro<> {
    co_await sleep(1s);
    if (std::exchange(answered, true) && !planted) co_return;
    promised.set_value(1);
  };
  co_await together(spare(), first());
  co_await answer;
}

/// A job that takes as long as it is away from the next one.
coro<> runs_overlap(bool planted) {
  int running = 0;
  bool overlapped = false;
  lock one_at_a_time;
  task_group group;
  auto job = [&]() -> coro<> {
    held_lock turn;
    if (!planted) turn = co_await one_at_a_time.scoped();
    if (++running > 1) overlapped = true;
    co_await sleep(1s);
    --running;
  };
  auto schedule = [&]() -> coro<> {
    for (int run = 0; run < 3; ++run) {
      co_await sleep(1s);
      group.create_task(job());
    }
  };
  co_await group.run(schedule);
  require(!overlapped, "a job began before its last run had ended");
}

/// A connection that does nothing is closed, and it does something while goodbye is said.
coro<> idle_no_more(bool planted) {
  int requests = 0;
  bool open = true;
  bool lost = false;
  auto close_if_idle = [&]() -> coro<> {
    const int before = requests;
    co_await sleep(1s);
    if (requests != before) co_return;
    co_await give_way();  // writes to the log
    if (planted || requests == before) open = false;
  };
  auto request = [&]() -> coro<> {
    co_await sleep(1s);
    if (!open) co_return;  // and connects again
    ++requests;
    co_await give_way(2);
    lost = !open;
  };
  co_await together(request(), close_if_idle());
  require(!lost, "a connection was closed during a request");
}

/// A service that waits to begin again begins although it was stopped meanwhile.
coro<> begins_after_stop(bool planted) {
  bool stopped = false;
  bool running = true;
  auto restart = [&]() -> coro<> {
    running = false;  // it has failed
    bool wanted = !stopped;
    co_await sleep(1s);
    if (!planted) wanted = !stopped;
    if (wanted) running = true;
  };
  auto stop = [&]() -> coro<> {
    co_await sleep(1s);
    stopped = true;
    running = false;
  };
  co_await together(restart(), stop());
  require(!running, "a service runs that was stopped");
}

/// An answer that comes at the last moment has ended the wait already when the time-out asks for it to be given up.
coro<> given_up_and_done(bool planted) {
  int stock = 1;
  int orders = 0;
  bool paid = false;
  auto pay = [&]() -> coro<> {
    co_await sleep(1s);
    paid = true;
    co_await give_way();  // prints the bill
    ++orders;
  };
  auto paying = create_task(pay());
  co_await give_way(2);
  --stock;
  co_await sleep(1s);
  co_await give_way(4);  // some grace
  paying.cancel();
  co_await gather(return_exceptions, paying);
  const bool came_through = planted ? orders == 1 : paid;
  if (!came_through) ++stock;  // puts it back
  require(stock + (paid ? 1 : 0) == 1, "something was paid for, and put back");
}

}  // namespace

TROUPE_BUG("a time-out hits the next request", stale_timer)
TROUPE_BUG("a retry does it twice", applied_twice)
TROUPE_BUG("the last change is not saved", last_change_lost)
TROUPE_BUG("the last batch is lost at the end", last_batch_lost)
TROUPE_BUG("a lease is outlived by a write", lease_outlived)
TROUPE_BUG("a task ends after its owner", owner_gone)
TROUPE_BUG("one who lives is declared dead", declared_dead)
TROUPE_BUG("a promise is kept twice", answered_twice)
TROUPE_BUG("two runs of a job overlap", runs_overlap)
TROUPE_BUG("a connection is closed as idle during a request", idle_no_more)
TROUPE_BUG("a service begins after it was stopped", begins_after_stop)
TROUPE_BUG("what is given up has been done", given_up_and_done)
