#pragma once

#include <troupe/actors/actor_family.hpp>
#include <troupe/actors/link.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/process_core.hpp>
#include <troupe/actors/received.hpp>

#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

namespace internal {

template <class F, class Signature, class... Args>
class process_object;

}  // namespace internal

/// The messages of a process that it has not received yet, and what a process can do as the actor that it is.
///
///     coro<> ponger(mailbox<ping, stop>& inbox) {
///       for (;;) {
///         auto got = co_await inbox.receive();                         // a variant: asked<ping>, stop
///         if (std::get_if<stop>(&got) != nullptr) co_return;
///         std::get<asked<ping>>(got).reply.answer(pong{});
///       }
///     }
///     actor_ref<protocol<ping, stop>> p = spawn(ponger);
///
/// A receive of one type gives that type, a receive of several a std::variant of them; a request comes as `asked`. A receive of some
/// types takes the oldest message that is one of them and leaves the others where they are, in order. Messages that wait are
/// received without a suspension, until the process has used up its turn.
///
/// Life: of the process, which `spawn` makes. Threads: the process itself, on its loop: a receive in another task, such as one of
/// `create_task` or `gather`, throws `invalid_state`, for a message that it had taken could be lost with it.
template <class... Ms>
class mailbox final : private internal::process_core, public internal::actor_family {
 public:
  using protocol_type = protocol<Ms...>;

  /// `co_await` gives the oldest message, of any type or of those that are named.
  /// Errors: `invalid_state` outside the process. Cancel: takes no message. Once the process is told to stop a receive always ends so.
  /// Cost: no allocation. A message that was passed over is looked at again only by a receive of other types. In a mailbox with a bound
  /// it keeps its room: full of such messages it lets in none that is wanted (see `overflow::suspend`).
  [[nodiscard]] auto receive() noexcept { return receiving<internal::receive_wait, Ms...>(); }
  template <message M, message... More>
  [[nodiscard]] auto receive() noexcept {
    return receiving<internal::receive_wait, M, More...>();
  }
  /// The same, but gives a std::optional, which is empty when no such message has come in that time. With no time at all others have their
  /// turn before it gives up. (`timeout(1s, inbox.receive())` throws `timeout_error` instead; neither loses a message.)
  [[nodiscard]] auto receive(after time) noexcept {
    return receiving<internal::timed_receive_wait, Ms...>(time.limit);
  }
  template <message M, message... More>
  [[nodiscard]] auto receive(after time) noexcept {
    return receiving<internal::timed_receive_wait, M, More...>(time.limit);
  }
  /// What a receive would take now, as a std::optional; never waits.
  /// Errors: `invalid_state` outside the process.
  [[nodiscard]] auto try_receive() { return taken<Ms...>(); }
  template <message M, message... More>
  [[nodiscard]] auto try_receive() {
    return taken<M, More...>();
  }

  /// A ref of this process, to be passed on.
  actor_ref<protocol_type> self() const noexcept {
    cell().retain();
    return actor_ref<protocol_type>(cell());
  }
  /// What spawn was told to name it, or nothing.
  std::string_view name() const noexcept { return cell().name(); }
  /// "troupe::process<ping, stop> 'savings'", for messages to people.
  std::string description() const { return cell().description(); }

  /// Has this process sent a `down`, which its mailbox has to name, when `who` has ended, at once if it is dead.
  monitor_handle monitor(const any_actor& who) {
    if constexpr (accepts<protocol_type, down>) {
      return internal::monitor(cell(), who);
    } else {
      static_cast<void>(sizeof(actor_that_monitors_has_no_down_in_its_protocol<protocol_type>));
    }
  }

  /// Links this process with `other`, as `actor::link` does.
  void link(const any_actor& other) { internal::link(cell(), other); }
  void unlink(const any_actor& other) noexcept { internal::unlink(cell(), other); }

  /// Runs `body` as a task of this process, beside it; it is cancelled when the process has ended. It must not receive.
  template <class T>
  task<T> create_task(coro<T> body, const task_options& options = {},
                      std::source_location created_at = std::source_location::current()) {
    loop& home = cell().home();
    return internal::make_task(home, cell().tasks(), std::move(body), options,
                               options.eager || home.eager_tasks(), created_at);
  }

 private:
  template <class, class, class...>
  friend class internal::process_object;
  mailbox() noexcept : actor_family(cell()) {}

  template <class... Wanted>
  static constexpr const internal::wanted_messages& wanted() {
    (check<Wanted>(), ...);
    return internal::wanted_of<protocol_type::template within<protocol<Wanted...>>, Wanted...>;
  }
  template <class M>
  static constexpr void check() {
    if constexpr (!accepts<protocol_type, M>)
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, protocol_type>));
  }
  template <class Wait, class... Wanted, class... Limit>
  auto receiving(Limit... limit) noexcept {
    return internal::typed_receive<Wait, Wanted...>(*this, wanted<Wanted...>(), limit...);
  }
  template <class... Wanted>
  auto taken() {
    using received = typename internal::received_any<Wanted...>::type;
    internal::envelope* const item = try_take(wanted<Wanted...>());
    return item != nullptr
               ? std::optional<received>(internal::unwrap_any<received, Wanted...>(*item))
               : std::nullopt;
  }
};

}  // namespace troupe
