#pragma once

#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/timer.hpp>

#include <caf/actor_clock.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/group.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#include <caf/message_id.hpp>

#include <compare>
#include <cstdint>
#include <map>

namespace troupe::internal {

class caf_core;
class caf_unit;

/// What is due at some time for CAF actors: time-outs, which can be cancelled, and messages. Each is a timer of the loop.
///
/// Threads: its loop's.
class caf_timeouts {
 public:
  enum class kind : std::uint8_t { ordinary, multi, request, message };
  /// One with the same key as another replaces it.
  struct key {
    ::caf::actor_id actor;  ///< 0 for a message, which outlives who has sent it
    kind what;
    std::uint64_t number;  ///< the type of an ordinary one, the number of any other
    friend auto operator<=>(const key&, const key&) = default;
  };
  /// What there is to send then, by its kind.
  struct content {
    ::caf::strong_actor_ptr to;  ///< of a message to a group: who sends it
    ::caf::atom_value type{};
    std::uint64_t id = 0;
    ::caf::message_id answer{};
    ::caf::mailbox_element_ptr element{};
    ::caf::group group{};
    ::caf::message message{};
  };

  explicit caf_timeouts(caf_unit& on) noexcept : unit_(on) {}
  ~caf_timeouts() { clear(); }
  caf_timeouts(const caf_timeouts&) = delete;
  caf_timeouts& operator=(const caf_timeouts&) = delete;

  void set(const key& name, time_point due, content what);
  void schedule(time_point due, content what);
  void cancel(const key& name) noexcept;
  /// All time-outs of that actor.
  void cancel_all_of(::caf::actor_id actor) noexcept;
  void clear() noexcept;

 private:
  struct entry;
  using entries = std::map<key, entry>;
  struct entry : timer {
    entry(caf_timeouts& given, content&& what)
        : timer(&entry::on_due), owner(given), held(std::move(what)) {}
    static void on_due(timer& self) noexcept;
    caf_timeouts& owner;
    content held;
    entries::iterator place;
  };

  void due(entry& item) noexcept;
  void remove(entries::iterator place) noexcept;

  caf_unit& unit_;
  entries all_;
  std::uint64_t messages_ = 0;  ///< so many have been scheduled
};

/// CAF's clock. Who calls it on a loop of the system sets time-outs there: an actor always runs on the same loop; other threads, such as
/// those of detached actors, have the first loop do it, one call after the other.
///
/// Threads: any.
class caf_clock final : public ::caf::actor_clock {
 public:
  explicit caf_clock(caf_core& owner) noexcept : owner_(owner) {}

  /// That of the loop on which it is asked: in a simulation, virtual. It stands still during a turn of the loop's unit, that is, for up to
  /// a millisecond or so; time-outs count from when they are set all the same.
  time_point now() const noexcept override;
  void set_ordinary_timeout(time_point t, ::caf::abstract_actor* self, ::caf::atom_value type,
                            std::uint64_t id) override;
  void set_multi_timeout(time_point t, ::caf::abstract_actor* self, ::caf::atom_value type,
                         std::uint64_t id) override;
  void set_request_timeout(time_point t, ::caf::abstract_actor* self,
                           ::caf::message_id id) override;
  void cancel_ordinary_timeout(::caf::abstract_actor* self, ::caf::atom_value type) override;
  void cancel_request_timeout(::caf::abstract_actor* self, ::caf::message_id id) override;
  void cancel_timeouts(::caf::abstract_actor* self) override;
  void schedule_message(time_point t, ::caf::strong_actor_ptr receiver,
                        ::caf::mailbox_element_ptr content) override;
  void schedule_message(time_point t, ::caf::group target, ::caf::strong_actor_ptr sender,
                        ::caf::message content) override;
  void cancel_all() override;

 private:
  template <class Function>
  void where_it_belongs(Function function);

  caf_core& owner_;
};

}  // namespace troupe::internal
