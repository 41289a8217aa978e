#include <troupe/runtime/queue.hpp>

#include <troupe/runtime/check.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>

#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <string>

namespace troupe::internal {

/// What is posted to one loop, to tell tasks that wait there that they have been selected.
struct queue_port final : work {
  queue_port(queue_waiters& waiters, loop& of, queue_port* others) noexcept
      : work(&queue_port::arrive), owner(waiters), home(of), next_port(others) {}

  static void arrive(work& item) noexcept {
    auto& self = static_cast<queue_port&>(item);
    queue_waiters& owner = self.owner;
    bool last = false;
    {
      const queue_lock lock(owner.mutex);
      self.on_its_way = false;
      while (queue_link* const told = self.selected.select_next())
        owner.tell_here(static_cast<queue_wait&>(*told));
      last = owner.deserted();
    }
    if (last) delete &owner;
  }

  queue_waiters& owner;
  loop& home;
  queue_port* const next_port;
  queue_list
      selected;  ///< those of this loop that another thread has selected; `next_up` was not told yet
  bool on_its_way = false;
};

namespace {

struct blocked_thread final : queue_link {
  blocked_thread() noexcept : queue_link{} {
    is_thread = true;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  ~blocked_thread() { pthread_cond_destroy(&condition); }

  pthread_cond_t condition{};
};

timespec to_timespec(time_point moment) noexcept {
  using namespace std::chrono;
  const auto whole = duration_cast<seconds>(moment.time_since_epoch());
  const auto rest = duration_cast<nanoseconds>(moment.time_since_epoch() - whole);
  return {static_cast<std::time_t>(whole.count()), static_cast<long>(rest.count())};
}

}  // namespace

void queue_wait::join(queue_waiters& waiters, queue_list& waiting) {
  loop* const home = loop::current();
  expects(home != nullptr, "an await outside a task: run the coroutine by create_task or run");
  port_ = &waiters.port_of(*home);
  waiters_ = &waiters;
  is_thread = false;
  waits_in_ = &waiting;
  waiting.push_back(*this);
  joined_ = true;
}

void queue_wait::leave() noexcept {
  joined_ = false;
  bool last = false;
  {
    const queue_lock lock(waiters_->mutex);
    const bool was_selected = selected || list != waits_in_;
    list->remove(*this);
    if (was_selected) waiters_->pass_on(*waits_in_);
    last = waiters_->deserted();
  }
  if (last) delete waiters_;
}

bool queue_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

bool queue_join_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  {
    const queue_lock lock(joined_queue_.mutex);
    if (joined_queue_.unfinished == 0) return false;
    join(joined_queue_, joined_queue_.joiners);
  }
  park(handle, here);
  return true;
}

void queue_join_wait::await_resume() {
  if (!suspended()) return;
  finish();
  if (destroyed_) throw_queue_shutdown();
}

queue_waiters::~queue_waiters() {
  while (queue_port* const port = ports_) {
    ports_ = port->next_port;
    delete port;
  }
  pthread_mutex_destroy(&mutex);
}

queue_port& queue_waiters::port_of(loop& home) {
  for (queue_port* each = ports_; each != nullptr; each = each->next_port) {
    if (&each->home == &home) [[likely]]
      return *each;
  }
  return *(ports_ = new queue_port(*this, home, ports_));
}

void queue_waiters::select_first(queue_list& list) noexcept {
  queue_link& first = *list.next_up;
  if (!first.is_thread && &list != &joiners) [[likely]] {
    auto& waiting = static_cast<queue_wait&>(first);
    if (&waiting.port_->home == loop::current()) [[likely]] {
      list.select_next();
      waiting.wake_to_retry();
      return;
    }
  }
  select_elsewhere(list);
}

void queue_waiters::select_elsewhere(queue_list& list) noexcept {
  while (queue_link* const chosen = list.select_next()) {
    if (tell(*chosen)) return;
  }
}

void queue_waiters::select_all(queue_list& list) noexcept {
  while (queue_link* const chosen = list.select_next()) static_cast<void>(tell(*chosen));
}

/// Returns false for one whose loop is closed: its frame is about to be destroyed, and somebody else has to be selected.
bool queue_waiters::tell(queue_link& selected) noexcept {
  if (selected.is_thread) [[unlikely]] {
    expects(!retired,
            "a queue was destroyed while a thread is blocked in it: shut it down and join the "
            "thread first");
    selected.list->remove(selected);
    pthread_cond_signal(&static_cast<blocked_thread&>(selected).condition);
    return true;
  }
  auto& waiting = static_cast<queue_wait&>(selected);
  queue_port& port = *waiting.port_;
  if (&port.home == loop::current()) {
    tell_here(waiting);
    return true;
  }
  selected.list->remove(selected);
  port.selected.push_back(selected);
  if (!port.on_its_way) port.on_its_way = port.home.post(port);
  return port.on_its_way;
}

/// Pre: on its loop; selected.
void queue_waiters::tell_here(queue_wait& selected) noexcept {
  if (selected.waits_in_ == &joiners) {
    selected.list->remove(selected);
    selected.joined_ = false;
    static_cast<queue_join_wait&>(selected).destroyed_ = retired;
    selected.wake();
  } else {
    selected.wake_to_retry();
  }
}

void queue_waiters::task_done() {
  const queue_lock lock(mutex);
  if (unfinished == 0) {
    throw std::invalid_argument(
        "task_done was called more often than items were put: call it once for each item");
  }
  if (--unfinished == 0) select_all(joiners);
}

void queue_waiters::shut(std::size_t dropped) noexcept {
  shut_down = true;
  size -= dropped;
  unfinished -= dropped < unfinished ? dropped : unfinished;
  if (unfinished == 0) select_all(joiners);
  select_all(getters);
  select_all(putters);
}

bool queue_waiters::block(queue_list& list, time_point deadline) noexcept {
  if (deadline <= clock::now()) return false;
  blocked_thread self;
  list.push_back(self);
  const timespec until = to_timespec(deadline);
  while (self.list != nullptr) {
    if (deadline == time_point::max()) {
      pthread_cond_wait(&self.condition, &mutex);
    } else if (pthread_cond_timedwait(&self.condition, &mutex, &until) == ETIMEDOUT &&
               self.list != nullptr) {
      list.remove(self);
      return false;
    }
  }
  return true;
}

bool queue_waiters::deserted() const noexcept {
  if (!retired) [[likely]]
    return false;
  for (const queue_port* each = ports_; each != nullptr; each = each->next_port) {
    if (each->on_its_way || each->selected.first != nullptr) return false;
  }
  return getters.first == nullptr && putters.first == nullptr && joiners.first == nullptr;
}

void queue_waiters::retire() noexcept {
  bool last = false;
  {
    const queue_lock lock(mutex);
    retired = shut_down = true;
    size = 0;
    select_all(joiners);
    select_all(getters);
    select_all(putters);
    last = deserted();
  }
  if (last) delete this;
}

void expect_may_block(const char* instead) {
  if (loop::current() != nullptr) [[unlikely]]
    throw invalid_state(std::string("a blocking call in a coroutine: co_await ") + instead +
                        " instead");
}

void throw_queue_empty() {
  throw queue_empty("the queue is empty: co_await get(), or ask try_get()");
}
void throw_queue_full() { throw queue_full("the queue is full: co_await put(), or ask try_put()"); }
void throw_queue_shutdown() { throw queue_shutdown("the queue has been shut down"); }

}  // namespace troupe::internal
