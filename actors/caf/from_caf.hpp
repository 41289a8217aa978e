#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/caf/facade.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/runtime/event.hpp>

#include <caf/actor_cast.hpp>
#include <caf/mailbox_element.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

namespace troupe {

namespace internal {

class caf_voice;

/// What an actor that stands for one of CAF's does, whatever its protocol: sends on what it is sent, gives answers home, and ends with the
/// other.
///
/// Invariant: each request in `pending_` is answered, failed or skipped once. Threads: its loop's.
class caf_stand_in {
 public:
  caf_stand_in(::caf::strong_actor_ptr real, cell& owner, const caf_table& messages);
  ~caf_stand_in();
  caf_stand_in(const caf_stand_in&) = delete;
  caf_stand_in& operator=(const caf_stand_in&) = delete;

  void pass_on(envelope& item) noexcept;
  /// Has the other exit, and waits until it has.
  coro<> stop();
  void answered(::caf::mailbox_element& answer) noexcept;
  void ended(const ::caf::error& why) noexcept;

 private:
  struct waiting {
    reply_slot* asker;
    const caf_entry* asked;
  };

  void ask(envelope& item, const caf_entry& entry);
  void drop_withdrawn() noexcept;
  void send_exit(const ::caf::error& why) noexcept;

  ::caf::strong_actor_ptr real_;
  cell& owner_;
  const caf_table& messages_;
  ::caf::strong_actor_ptr voice_;  ///< whom answers come to
  std::unordered_map<std::uint64_t, waiting> pending_;
  std::uint64_t asked_ = 0;
  std::size_t look_through_at_;  ///< how many requests there are when withdrawn ones are looked for
  bool ended_ = false;
  event over_;
};

template <class P>
class caf_actor : public actor<P> {
 public:
  static constexpr std::string_view class_name = "actor of CAF";

  explicit caf_actor(const ::caf::strong_actor_ptr& real)
      : mine_(real, *this->self().cell(), caf_table_of<P>::value) {}

  void pass_on(envelope& item) noexcept { mine_.pass_on(item); }
  coro<> on_stop() { return mine_.stop(); }

 private:
  caf_stand_in mine_;
};

/// The actor that stands for it already, or that it stands for itself; with a count, or null.
/// Errors: as `from_caf`.
cell* known_caf_double(const ::caf::strong_actor_ptr& real, const caf_table& messages);
void know_caf_double(const ::caf::strong_actor_ptr& real, const caf_table& messages, cell& made);

}  // namespace internal

/// An actor of CAF as a troupe actor of protocol `P`, to be told, asked, monitored, linked with and stopped as any other; `caf_form` says
/// how messages look there. The same one always has the same ref; one that came `to_caf` has the one that it had here.
///
/// Here an actor stands for it, on the loop where that was first wanted. It keeps the other alive, and ends when that does: crashed, with
/// a `caf_error`, when that has failed. `stop` tells the other to exit by `user_shutdown` and `kill` by `kill`. An error as an answer is
/// thrown at the asker: as `actor_dead`, or as what it was before it went `to_caf`, or as `caf_error`, which is a `rejected`. An answer of
/// another type is a `caf_error` of `sec::unexpected_response`.
/// Errors: `invalid_state` off a loop, or when its runtime has no caf_system; std::invalid_argument for an empty handle, and for a troupe
/// actor that does not understand all of `P`.
/// Threads: a loop of the caf_system. Cost: an actor, and one of CAF's.
template <class P, class Handle>
actor_ref<P> from_caf(const Handle& handle) {
  const auto real = ::caf::actor_cast<::caf::strong_actor_ptr>(handle);
  const internal::caf_table& messages = internal::caf_table_of<P>::value;
  if (internal::cell* const known = internal::known_caf_double(real, messages))
    return actor_ref<P>(*known);
  actor_ref<P> made = troupe::spawn<internal::caf_actor<P>>(real);
  internal::know_caf_double(real, messages, *made.cell());
  return made;
}

}  // namespace troupe
