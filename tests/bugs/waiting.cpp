// Tasks that wait for each other: wake-ups that are missed, locks and permits that are kept or given back too often, cancellation.
#include <troupe/runtime/condition.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/queue.hpp>
#include <troupe/runtime/semaphore.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>

#include "bugs/bug.hpp"

#include <array>
#include <exception>
#include <utility>

using namespace troupe;
using namespace troupe::testing::bugs;
using namespace std::chrono_literals;

namespace {

/// A place where there may be one at a time.
struct room {
  int inside = 0;
  bool crowded = false;
};
class visit {
 public:
  explicit visit(room& visited) : room_(visited) {
    if (++room_.inside > 1) room_.crowded = true;
  }
  ~visit() { --room_.inside; }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;

 private:
  room& room_;
};

/// An event is cleared after what it told of was taken: what has come meanwhile is told of by nobody.
coro<> cleared_too_late(bool planted) {
  event arrived;
  int mail = 0;
  auto deliver = [&](int after) -> coro<> {
    co_await give_way(after);
    ++mail;
    arrived.set();
  };
  auto read = [&]() -> coro<> {
    for (int seen = 0; seen < 2;) {
      co_await arrived.wait();
      if (!planted) arrived.clear();
      seen += std::exchange(mail, 0);
      co_await give_way();  // shows it
      if (planted) arrived.clear();
    }
  };
  co_await together(read(), deliver(0), deliver(5));
}

/// A state is looked at without its lock, and waited for with it: the notification comes in between.
coro<> notified_before_wait(bool planted) {
  condition changed;
  bool finished = false;
  auto wait = [&]() -> coro<> {
    bool seen = finished;
    co_await changed.acquire();
    if (!planted) seen = finished;
    while (!seen) {
      co_await changed.wait();
      seen = finished;
    }
    changed.release();
  };
  auto work = [&]() -> coro<> {
    co_await give_way(2);
    co_await changed.acquire();
    co_await give_way();  // writes the result
    finished = true;
    changed.notify_all();
    changed.release();
  };
  co_await together(wait(), work());
}

/// A condition is waited for with `if`: somebody else was quicker.
coro<> if_for_while(bool planted) {
  condition changed;
  int items = 0;
  bool took_nothing = false;
  auto take = [&](int after) -> coro<> {
    co_await give_way(after);
    co_await changed.acquire();
    if (items == 0) co_await changed.wait();
    while (!planted && items == 0) co_await changed.wait();
    took_nothing = took_nothing || items == 0;
    --items;
    changed.release();
  };
  auto put = [&](int after) -> coro<> {
    co_await give_way(after);
    co_await changed.acquire();
    ++items;
    changed.notify();
    changed.release();
  };
  co_await together(take(0), put(2), take(6), put(9));
  require(!took_nothing, "something was taken that was not there");
}

/// Three who need two of three things.
coro<> three_locks(bool planted) {
  std::array<lock, 3> forks;
  auto dine = [&](std::size_t seat, int after) -> coro<> {
    co_await give_way(after);
    std::size_t first = seat;
    std::size_t second = (seat + 1) % forks.size();
    if (!planted && second < first) std::swap(first, second);
    const auto one = co_await forks[first].scoped();
    co_await give_way();
    const auto other = co_await forks[second].scoped();
    co_await give_way();
  };
  co_await together(dine(0, 0), dine(1, 3), dine(2, 6));
}

/// Two who need two permits each take one.
coro<> half_the_permits(bool planted) {
  semaphore buffers(2);
  lock one_at_a_time;
  auto copy = [&](int after) -> coro<> {
    co_await give_way(after);
    held_lock turn;
    if (!planted) turn = co_await one_at_a_time.scoped();
    const auto source = co_await buffers.scoped();
    co_await give_way();  // reads
    const auto target = co_await buffers.scoped();
    if (turn) turn.release();
    co_await give_way();
  };
  co_await together(copy(0), copy(5));
}

/// Two readers want to write, and each waits for the other to end reading.
coro<> two_upgrades(bool planted) {
  condition changed;
  int readers = 0;
  int value = 0;
  auto update = [&](int after) -> coro<> {
    co_await give_way(after);
    co_await changed.acquire();
    ++readers;
    changed.release();
    co_await give_way();  // reads
    co_await changed.acquire();
    if (!planted) {  // ends reading first
      --readers;
      changed.notify_all();
    }
    while (readers > (planted ? 1 : 0)) co_await changed.wait();
    ++value;
    if (planted) --readers;
    changed.notify_all();
    changed.release();
  };
  co_await together(update(0), update(5));
  require(value == 2, "an update was lost");
}

/// Who is cancelled while it works keeps its permit for ever.
coro<> permit_lost(bool planted) {
  semaphore slots(1);
  auto download = [&]() -> coro<> {
    held_permit permit;
    if (planted) {
      co_await slots.acquire();
    } else {
      permit = co_await slots.scoped();
    }
    co_await give_way(2);
    if (planted) slots.release();
  };
  auto first = create_task(download());
  co_await give_way(5);
  first.cancel();
  co_await gather(return_exceptions, first);
  co_await download();
}

/// Who is cancelled after its work gives its permit back a second time.
coro<> permit_doubled(bool planted) {
  semaphore slots(1);
  room office;
  auto work = [&](int after) -> coro<> {
    co_await give_way(after);
    co_await slots.acquire();
    bool held = true;
    try {
      {
        const visit now(office);
        co_await give_way();
      }
      slots.release();
      if (!planted) held = false;
      co_await give_way();  // reports
    } catch (const cancelled&) {
      if (held) slots.release();
      throw;
    }
  };
  auto first = create_task(work(0));
  auto stop = [&]() -> coro<> {
    co_await give_way(5);
    first.cancel();
  };
  co_await together(stop(), work(6), work(7));
  co_await gather(return_exceptions, first);
  require(!office.crowded, "there were two with one permit");
}

/// Who is cancelled while it waits for a lock releases it, and it is somebody else's.
coro<> lock_of_another(bool planted) {
  lock guard;
  room office;
  auto edit = [&](int after) -> coro<> {
    co_await give_way(after);
    bool held = planted;
    try {
      co_await guard.acquire();
      held = true;
      const visit now(office);
      co_await give_way(2);
    } catch (const cancelled&) {
      if (held) guard.release();
      throw;
    }
    guard.release();
  };
  auto impatient = create_task(edit(4));
  auto stop = [&]() -> coro<> {
    co_await give_way(8);
    impatient.cancel();
  };
  co_await together(edit(0), stop(), edit(5));
  co_await gather(return_exceptions, impatient);
  require(!office.crowded, "there were two with one lock");
}

/// An item is lost with the worker that is cancelled between taking and handling it.
coro<> item_lost(bool planted) {
  queue<int> jobs;
  int handled = 0;
  auto work = [&]() -> coro<> {
    const int job = co_await jobs.get();
    try {
      co_await give_way();  // makes ready for it
    } catch (const cancelled&) {
      if (!planted) jobs.put_nowait(job);
      throw;
    }
    ++handled;
  };
  auto first = create_task(work());
  auto put = [&](int after) -> coro<> {
    co_await give_way(after);
    jobs.put_nowait(1);
  };
  auto stop = [&]() -> coro<> {
    co_await give_way(5);
    first.cancel();
  };
  co_await together(put(0), stop());
  co_await gather(return_exceptions, first);
  if (handled == 0) co_await work();  // another one does what is left
}

/// A barrier made by hand is used again while somebody is still on its way out of it.
coro<> barrier_too_early(bool planted) {
  int arrived = 0;
  event gate;
  std::array<int, 2> done{};
  bool apart = false;
  auto meet = [&]() -> coro<> {
    if (++arrived == 2) {
      arrived = 0;
      gate.set();
      if (!planted) gate.clear();
    } else {
      co_await gate.wait();
      if (planted) gate.clear();
    }
  };
  auto run = [&](std::size_t me) -> coro<> {
    for (int round = 1; round <= 2; ++round) {
      co_await give_way(2);  // does its part of the round
      done[me] = round;
      co_await meet();
      apart = apart || done[1 - me] < round;
    }
  };
  co_await together(run(0), run(1));
  require(!apart, "one went on before the other had come");
}

/// A worker that goes on after every failure also goes on after it was cancelled.
coro<> cancellation_lost(bool planted) {
  queue<int> jobs;
  int failed = 0;
  auto work = [&]() -> coro<> {
    for (;;) {
      co_await jobs.get();
      try {
        co_await give_way(2);
      } catch (const std::exception&) {
        ++failed;
      } catch (...) {
        if (!planted) throw;
        ++failed;
      }
    }
  };
  auto worker = create_task(work());
  jobs.put_nowait(1);
  co_await give_way(6);
  worker.cancel();
  co_await gather(return_exceptions, worker);
}

coro<> beat_for_ever() {
  for (;;) co_await sleep(1min);
}

/// The heart-beat of a session is stopped at its end, but not when it ends early.
coro<> task_leaked(bool planted) {
  bool hung_up = false;
  auto session = [&]() -> coro<> {
    auto beat = create_task(beat_for_ever());
    co_await give_way();  // greets
    if (hung_up) {
      if (!planted) beat.cancel();
      co_return;
    }
    co_await give_way();
    beat.cancel();
  };
  auto hang_up = [&]() -> coro<> {
    co_await give_way(3);
    hung_up = true;
  };
  co_await together(session(), hang_up());
}

/// A job is called done before it is.
coro<> done_too_early(bool planted) {
  queue<int> jobs;
  int stored = 0;
  auto work = [&]() -> coro<> {
    try {
      for (;;) {
        co_await jobs.get();
        if (planted) jobs.task_done();
        co_await give_way();
        ++stored;
        if (!planted) jobs.task_done();
      }
    } catch (const queue_shutdown&) {
    }
  };
  int summary = 0;
  auto report = [&]() -> coro<> {
    co_await jobs.join();
    co_await give_way(2);  // opens the file
    summary = stored;
    jobs.shutdown();
  };
  for (const int job : {1, 2, 3}) jobs.put_nowait(job);
  co_await together(work(), report());
  require(summary == 3, "the report is about a part of the jobs");
}

/// Jobs count themselves when they begin, and who waits for all of them looks before.
coro<> counted_too_late(bool planted) {
  int pending = 0;
  int done = 0;
  int seen = 0;
  event idle;
  auto job = [&]() -> coro<> {
    if (planted) ++pending;
    co_await give_way(3);
    ++done;
    if (--pending == 0) idle.set();
  };
  auto wait = [&]() -> coro<> {
    co_await give_way();
    if (pending > 0) co_await idle.wait();
    seen = done;
  };
  if (!planted) pending = 2;
  co_await together(job(), job(), wait());
  require(seen == 2, "not all were waited for");
}

}  // namespace

TROUPE_BUG("an event is cleared too late", cleared_too_late)
TROUPE_BUG("a notification comes before the wait", notified_before_wait)
TROUPE_BUG("a condition is waited for with if", if_for_while)
TROUPE_BUG("three wait for three locks", three_locks)
TROUPE_BUG("two have half of their permits", half_the_permits)
TROUPE_BUG("two readers want to write", two_upgrades)
TROUPE_BUG("a permit is lost by cancellation", permit_lost)
TROUPE_BUG("a permit is given back twice", permit_doubled)
TROUPE_BUG("a lock is released that somebody else has", lock_of_another)
TROUPE_BUG("an item is lost by cancellation", item_lost)
TROUPE_BUG("a barrier is used again too early", barrier_too_early)
TROUPE_BUG("a cancellation is swallowed", cancellation_lost)
TROUPE_BUG("a task is left behind on one path", task_leaked)
TROUPE_BUG("a job is called done before it is", done_too_early)
TROUPE_BUG("jobs are counted too late", counted_too_late)
