#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/name_errors.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/task.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Names of actors, for those who cannot be given a ref. A runtime has one set of names, the same on all of its loops; a loop without
/// a runtime has its own.
///
/// A name belongs to one actor, an actor may have several. It is free again when the actor has ended, which is before those who monitor
/// the actor are told: who is may give the name to a successor at once.
/// Threads: any loop; all of these throw `invalid_state` where none runs.

namespace troupe {

namespace internal {

class names;

/// The messages of a protocol at run time: null behind the last.
using message_list = const message_info* const*;

template <class P>
struct messages_of;
template <class... Ms>
struct messages_of<protocol<Ms...>> {
  static constexpr const message_info* all[sizeof...(Ms) + 1] = {&envelope_of<Ms>::type...,
                                                                 nullptr};
};

void register_name(std::string_view name, cell* who, message_list understood);
/// The actor of that name, with a count of it, or null.
cell* find_name(std::string_view name, message_list wanted);

/// One who waits for a name. In the list of its name it is counted.
/// Threads: told by any loop.
class name_waiter {
 public:
  /// These give up the list's count. `found` takes over a count of `who`.
  virtual void found(cell& who) noexcept = 0;
  virtual void failed(std::exception_ptr error) noexcept = 0;
  virtual void let_go() noexcept = 0;

 protected:
  name_waiter(std::string_view name, message_list wanted) : name_(name), wanted_(wanted) {}
  ~name_waiter();
  name_waiter(const name_waiter&) = delete;
  name_waiter& operator=(const name_waiter&) = delete;

  /// Is told at once, or joins the list of its name. Once.
  void join();
  /// Leaves the list, and gives up its count, unless somebody is about to tell it.
  void leave() noexcept;

 private:
  friend void register_name(std::string_view name, cell* who, message_list understood);
  void tell(cell& who, message_list understood) noexcept;

  std::string name_;
  message_list wanted_;
  names* where_ = nullptr;  ///< counted, from `join` on
};

/// The future of a name.
template <class P>
class name_state final : public arriving<actor_ref<P>>, public name_waiter, public pooled {
 public:
  name_state(loop& home, std::string_view name)
      : arriving<actor_ref<P>>(home), name_waiter(name, messages_of<P>::all) {}
  using name_waiter::join;

  bool cancel(std::string_view reason) noexcept override {
    if (!this->end_as_cancelled(reason)) return false;
    leave();
    return true;
  }
  void found(cell& who) noexcept override {
    this->arrived_.set_value(actor_ref<P>(who));
    this->deliver();
  }
  void failed(std::exception_ptr error) noexcept override {
    this->arrived_.set_error(std::move(error));
    this->deliver();
  }
  void let_go() noexcept override { this->release(); }

 private:
  void destroy() noexcept override { delete this; }
};

}  // namespace internal

/// Gives `who` that name. An actor that holds it already keeps it, so one that is restarted in place may do this each time it starts.
/// Errors: `name_taken`; `actor_dead` when it is dead, as far as that is known on this loop; std::invalid_argument for an empty name.
/// Pre: an actor.
template <class P>
void register_name(std::string_view name, const actor_ref<P>& who) {
  internal::register_name(name, who.cell(), internal::messages_of<P>::all);
}

/// Frees that name, whoever holds it. Returns false when nobody did.
bool unregister_name(std::string_view name);

/// The actor of that name, or an empty ref when there is none.
/// Errors: `name_mismatch` when it was registered by a ref that does not understand all of `P`.
/// Cost: a lock and a look-up; who sends often keeps the ref.
template <class P>
actor_ref<P> whereis(std::string_view name) {
  internal::cell* const found = internal::find_name(name, internal::messages_of<P>::all);
  return found != nullptr ? actor_ref<P>(*found) : actor_ref<P>();
}

/// The actor of that name, as soon as there is one. It may have ended by the time it is used, like any other.
/// Errors, at the await: `name_mismatch`, as `whereis`.
/// Cancel: gives up the wait.
template <class P>
future<actor_ref<P>> when_registered(std::string_view name) {
  auto* const made = new internal::name_state<P>(internal::running_loop("when_registered"), name);
  future<actor_ref<P>> result(*made);
  made->join();
  return result;
}

/// For tools.
struct registered_name {
  std::string name;
  any_actor who;
};
/// All names, in alphabetical order.
std::vector<registered_name> registered_names();

}  // namespace troupe
