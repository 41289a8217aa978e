#pragma once

#include <troupe/actors/registry.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/ref_count.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::internal {

class names;
class topic_state;

/// One name that an actor holds. Two own it: the names it is among, and the actor's list of watchers.
class registration final : public watcher, public pooled {
 public:
  registration(names& where, std::string_view given_name, cell& given_who,
               message_list given_messages);

  /// Frees the name.
  void told(const exit_reason& why) noexcept override;
  void keep() noexcept override { count_.add(); }
  void let_go() noexcept override {
    if (count_.drop()) delete this;
  }

  const std::string name;
  cell& who;                ///< counted
  message_list understood;  ///< under the lock of `where`

 private:
  ~registration();
  names& where_;
  ref_count count_{1};
};

/// The names that a runtime knows: of actors, of topics, and those that somebody waits for.
///
/// Life: made when one of the runtime's loops first asks for it, emptied when the last of those closes. Counted: whoever may come back
/// to it later holds a count.
/// Invariant: a name is in one of `held` and `awaited` at most.
/// Threads: any, under the mutex, within which nothing of anybody else is called.
class names {
 public:
  /// Those of the running loop. `what` was called. Errors: `invalid_state` when none runs.
  static names& current(const char* what);

  void retain() noexcept { count_.add(); }
  void release() noexcept {
    if (count_.drop()) delete this;
  }
  /// Lets go of all that is in it.
  void close() noexcept;

  template <class T>
  using by_name = std::map<std::string, T, std::less<>>;

  std::mutex mutex;
  by_name<registration*> held;                 ///< each counted
  by_name<std::vector<name_waiter*>> awaited;  ///< each counted
  by_name<topic_state*> topics;                ///< not counted: a topic that goes leaves

 private:
  ref_count count_{1};
};

}  // namespace troupe::internal
