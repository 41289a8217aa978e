#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/cluster/messages.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/runtime/event.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

// Refs of actors on other nodes. Here an actor stands for each, which sends on what it is sent and ends when the other does: so whatever holds
// for refs holds for these, monitors, links and stops included.

namespace troupe::cluster::internal {

class peer;

/// An actor of a peer.
struct remote_target {
  std::shared_ptr<peer> at;
  std::uint64_t number = 0;
};

/// What an actor that stands for another does, whatever its protocol.
class stand_in {
 public:
  stand_in(const remote_target& there, cell& owner, const protocol_table& messages);
  ~stand_in();
  stand_in(const stand_in&) = delete;
  stand_in& operator=(const stand_in&) = delete;

  void pass_on(envelope& item) noexcept;
  /// Has the other stop, and waits until it has.
  coro<> stop();
  /// Whether nobody here can reach it any more, and it has sent on all that it had.
  bool unused() const noexcept {
    return !ended_ && owner_.is_up() && !owner_.busy() && !owner_.has_urgent() &&
           owner_.unreachable();
  }
  /// Ends, and leaves the other alone.
  void let_go() noexcept;
  /// The other has ended.
  void ended(const exit_reason& why) noexcept;

  cell& owner() const noexcept { return owner_; }
  const remote_target& there() const noexcept { return there_; }
  const protocol_table& messages() const noexcept { return messages_; }

 private:
  struct waiting_end;

  remote_target there_;
  cell& owner_;
  const protocol_table& messages_;
  bool ended_ = false;
  event over_;
};

template <class P>
class remote_actor : public actor<P> {
 public:
  static constexpr std::string_view class_name = "actor elsewhere";

  explicit remote_actor(const remote_target& there)
      : mine_(there, *this->self().cell(), table_of<P>::value) {}

  void pass_on(envelope& item) noexcept { mine_.pass_on(item); }
  coro<> on_stop() { return mine_.stop(); }

 private:
  stand_in mine_;
};

template <class... Ms>
struct table_of<protocol<Ms...>> {
  static cell& make(const remote_target& there) {
    const auto made = troupe::spawn<remote_actor<protocol<Ms...>>>(there);
    made.cell()->retain();
    return *made.cell();
  }
  static constexpr std::array<const message_entry*, sizeof...(Ms)> entries = {&entry_of<Ms>...};
  static constexpr protocol_table value = {entries.data(), entries.size(), &make};
};

/// Writes a ref for the peer that the writer is for.
void put_ref(writer& to, cell* who, const protocol_table& messages);
/// The actor, with a count, or null for nobody. Errors: `malformed`.
cell* get_ref(reader& from, const protocol_table& messages);

}  // namespace troupe::cluster::internal

template <class P>
struct troupe::cluster::coded<troupe::actor_ref<P>> {
  static constexpr layout::kind sort = layout::kind::ref;
  static void put(writer& to, const actor_ref<P>& ref) {
    internal::put_ref(to, ref.cell(), internal::table_of<P>::value);
  }
  static void get(reader& from, actor_ref<P>& ref) {
    troupe::internal::cell* const found = internal::get_ref(from, internal::table_of<P>::value);
    ref = found != nullptr ? actor_ref<P>(*found) : actor_ref<P>();
  }
};
