// Tasks that share memory on one loop, and awaits in the wrong place.
#include <troupe/io/memory.hpp>
#include <troupe/runtime/condition.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/queue.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>

#include "bugs/bug.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing::bugs;
using namespace std::chrono_literals;

namespace {

/// What was read before an await is written after it.
coro<> lost_update(bool planted) {
  int count = 0;
  lock guard;
  auto add = [&](int after) -> coro<> {
    co_await give_way(after);
    if (!planted) co_await guard.acquire();
    const int before = count;
    co_await give_way();
    count = before + 1;
    if (!planted) guard.release();
  };
  co_await together(add(0), add(5));
  require(count == 2, "an update was lost");
}

/// Two look, see that nothing is there, and both make it.
coro<> made_twice(bool planted) {
  struct connection {};
  int made = 0;
  std::optional<connection> cached;
  lock guard;
  auto use = [&](int after) -> coro<> {
    co_await give_way(after);
    if (!planted) co_await guard.acquire();
    if (!cached) {
      co_await give_way();  // connects
      ++made;
      cached.emplace();
    }
    if (!planted) guard.release();
  };
  co_await together(use(0), use(4));
  require(made == 1, "two connections were made");
}

/// A place in a list is kept across an await; the list has changed meanwhile.
coro<> place_kept(bool planted) {
  std::vector<int> sessions;
  for (const int each : {1, 2, 3}) sessions.push_back(each);
  auto place_of = [&](int session) {
    return static_cast<std::size_t>(std::find(sessions.begin(), sessions.end(), session) -
                                    sessions.begin());
  };
  auto leave = [&](int session, int after) -> coro<> {
    co_await give_way(after);
    std::size_t place = place_of(session);
    co_await give_way();  // says goodbye
    if (!planted) place = place_of(session);
    if (place < sessions.size()) sessions.erase(sessions.begin() + static_cast<int>(place));
  };
  co_await together(leave(1, 0), leave(2, 4));
  require(sessions.size() == 1 && sessions.front() == 3, "another session was ended");
}

/// Two look for a free seat, and take it when they have paid.
coro<> seat_taken(bool planted) {
  std::map<int, int> seats;  // who has which
  auto book = [&](int guest, int after) -> coro<> {
    co_await give_way(after);
    int seat = 1;
    while (seats.count(seat) != 0) ++seat;
    if (!planted) seats[seat] = guest;
    co_await give_way(2);  // pays
    seats[seat] = guest;
  };
  co_await together(book(7, 0), book(8, 6), book(9, 12));
  require(seats.size() == 3, "a seat was sold twice");
}

/// Who puts looks first whether there is room, and puts later.
coro<> room_seen_too_early(bool planted) {
  queue<int> jobs(1);
  int dropped = 0;
  int served = 0;
  auto produce = [&](int job, int after) -> coro<> {
    co_await give_way(after);
    bool room = !jobs.full();
    co_await give_way();  // packs it
    if (!planted) room = !jobs.full();
    if (room) {
      jobs.put_nowait(job);
    } else {
      ++dropped;
    }
  };
  auto serve = [&]() -> coro<> {
    try {
      for (;; ++served) co_await jobs.get();
    } catch (const queue_shutdown&) {
    }
  };
  auto produce_all = [&]() -> coro<> {
    co_await together(produce(1, 0), produce(2, 5));
    jobs.shutdown();
  };
  co_await together(serve(), produce_all());
  require(served + dropped == 2, "a job was lost");
}

/// Two variables that belong together are read with an await in between.
coro<> two_reads(bool planted) {
  int savings = 100;
  int current = 100;
  int sum = 0;
  auto audit = [&]() -> coro<> {
    const int first = savings;
    if (planted) co_await give_way();  // writes it down
    const int second = current;
    co_await give_way();
    sum = first + second;
  };
  auto transfer = [&](int cents, int after) -> coro<> {
    co_await give_way(after);
    savings -= cents;
    current += cents;
  };
  co_await together(audit(), transfer(30, 4));
  require(sum == 200, "the audit saw half a transfer");
}

/// A reader counts itself when it has opened the file, and a writer that comes before does not see it.
coro<> writer_among_readers(bool planted) {
  condition changed;
  int readers = 0;
  bool writing = false;
  bool mixed = false;
  auto read = [&](int after) -> coro<> {
    co_await give_way(after);
    co_await changed.acquire();
    while (writing) co_await changed.wait();
    if (!planted) ++readers;
    changed.release();
    co_await give_way();  // opens the file
    if (planted) ++readers;
    mixed = mixed || writing;
    co_await give_way();
    mixed = mixed || writing;
    co_await changed.acquire();
    if (--readers == 0) changed.notify_all();
    changed.release();
  };
  auto write = [&](int after) -> coro<> {
    co_await give_way(after);
    co_await changed.acquire();
    while (readers > 0) co_await changed.wait();
    writing = true;
    changed.release();
    co_await give_way(2);
    co_await changed.acquire();
    writing = false;
    changed.notify_all();
    changed.release();
  };
  co_await together(read(0), read(1), write(4));
  require(!mixed, "a reader read while somebody wrote");
}

/// A cache is filled by an answer that was on its way when the value was changed.
coro<> older_answer(bool planted) {
  int stored = 1;
  int version = 0;
  std::optional<int> cached;
  auto load = [&]() -> coro<> {
    const int asked_at = version;
    const int answer = stored;
    co_await give_way(2);  // the way back
    if (planted || asked_at == version) cached = answer;
  };
  auto update = [&](int value, int after) -> coro<> {
    co_await give_way(after);
    stored = value;
    ++version;
    cached.reset();
  };
  co_await together(load(), update(2, 5));
  require(!cached || *cached == stored, "the cache has an old value");
}

/// Answers are told apart by the order in which they come.
coro<> by_completion(bool planted) {
  std::vector<int> arrived;
  auto square = [&](int number) -> coro<int> {
    co_await give_way(2);
    arrived.push_back(number * number);
    const int answer = number * number;
    co_return answer;
  };
  std::vector<coro<int>> asked;
  for (int number = 0; number < 3; ++number) asked.push_back(square(number));
  std::vector<int> answers = co_await gather(std::move(asked));
  if (planted) answers = arrived;
  for (int number = 0; number < 3; ++number)
    require(answers[static_cast<std::size_t>(number)] == number * number,
            "an answer was taken for that to another question");
}

/// What is to be closed is marked when it has been closed.
coro<> closed_twice(bool planted) {
  bool closed = false;
  int closes = 0;
  auto close = [&](int after) -> coro<> {
    co_await give_way(after);
    if (closed) co_return;
    if (!planted) closed = true;
    co_await give_way();  // sends what is left
    closed = true;
    ++closes;
  };
  co_await together(close(0), close(4));  // by the user, and because the peer has gone
  require(closes == 1, "a connection was closed twice");
}

/// Somebody waits for some time instead of for the event.
coro<> used_before_ready(bool planted) {
  bool open = false;
  event opened;
  bool lost = false;
  auto connect = [&]() -> coro<> {
    co_await give_way(2);
    open = true;
    opened.set();
  };
  auto send = [&]() -> coro<> {
    if (planted) {
      co_await give_way(5);  // that should do
    } else {
      co_await opened.wait();
    }
    lost = !open;
  };
  co_await together(connect(), send());
  require(!lost, "something was sent before there was a connection");
}

/// A batch is emptied when it has been sent; another one who comes meanwhile sends it again.
coro<> sent_twice(bool planted) {
  std::vector<int> batch;
  std::vector<int> sent;
  auto flush = [&]() -> coro<> {
    const std::vector<int> going = batch;
    if (!planted) batch.clear();
    co_await give_way();  // sends
    sent.insert(sent.end(), going.begin(), going.end());
    if (planted) batch.clear();
  };
  auto add = [&](int item, int after) -> coro<> {
    co_await give_way(after);
    batch.push_back(item);
    if (batch.size() >= 2) co_await flush();
  };
  co_await together(add(1, 0), add(2, 3), add(3, 8));
  co_await flush();
  std::sort(sent.begin(), sent.end());
  std::vector<int> expected;
  for (const int each : {1, 2, 3}) expected.push_back(each);
  require(sent == expected, "items were sent twice, or never");
}

/// One read is taken for one frame.
coro<> torn_frame(bool planted) {
  auto ends = io::memory_pair();
  std::size_t received = 0;
  auto send = [&]() -> coro<> {
    ends.first.write("head");
    co_await give_way();  // makes the rest
    ends.first.write("body");
  };
  auto receive = [&]() -> coro<> {
    co_await give_way(4);
    if (planted) {
      received = (co_await ends.second.read_some(8)).size();
    } else {
      received = (co_await ends.second.read_exactly(8)).size();
    }
  };
  co_await together(send(), receive());
  ends.first.close();
  ends.second.close();
  co_await ends.first.wait_closed();
  co_await ends.second.wait_closed();
  require(received == 8, "half a frame was taken for one");
}

}  // namespace

TROUPE_BUG("an update is lost across an await", lost_update)
TROUPE_BUG("two look, and both make it", made_twice)
TROUPE_BUG("a place in a list is kept across an await", place_kept)
TROUPE_BUG("a seat is looked for, and taken later", seat_taken)
TROUPE_BUG("producers look at the size of a queue, and put later", room_seen_too_early)
TROUPE_BUG("two variables are read with an await in between", two_reads)
TROUPE_BUG("a writer comes in with readers", writer_among_readers)
TROUPE_BUG("a cache is filled by an older answer", older_answer)
TROUPE_BUG("answers are matched by the order in which they come", by_completion)
TROUPE_BUG("a connection is closed twice", closed_twice)
TROUPE_BUG("something is sent before the connection is there", used_before_ready)
TROUPE_BUG("a batch is sent twice", sent_twice)
TROUPE_BUG("one read is taken for one frame", torn_frame)
