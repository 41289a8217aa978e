#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/type_name.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/timeout.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe::testing {

/// What was expected did not come. Says what was expected, what came instead, and the last messages.
struct expectation_failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A request that a probe has got: its content, and the right to answer it.
template <request M>
struct asked {
  M message;
  reply_to<reply_of<M>> reply;
};

namespace internal {

template <class M>
struct received_by_probe {
  using type = M;
};
template <request M>
struct received_by_probe<M> {
  using type = asked<M>;
};
/// What an expectation gives: the message, and for a request the right to answer.
template <class M>
using received = typename received_by_probe<M>::type;

template <class M>
const M& content_of(const M& got) {
  return got;
}
template <class M>
const M& content_of(const asked<M>& got) {
  return got.message;
}

/// What a probe and those who hold it share, whatever the protocol.
class probe_state {
 public:
  enum class manner : std::uint8_t { wanted, allowed, forbidden };

  /// A message has come; it is kept, unless it is allowed.
  bool came(std::string_view type, manner how);
  /// Throws what a forbidden message has done.
  void expect_no_fault() const {
    if (fault_) std::rethrow_exception(fault_);
  }
  [[noreturn]] void fail(const std::string& expected) const;
  [[noreturn]] void fail_with(const std::string& expected, std::string_view instead) const;

  event changed;

 private:
  static constexpr std::size_t most_kept = 10;
  std::string history() const;
  std::deque<std::string> last_;
  std::exception_ptr fault_;
};

template <class P>
class typed_probe_state;

template <class... Ms>
class typed_probe_state<protocol<Ms...>> : public probe_state {
 public:
  using any = std::variant<received<Ms>...>;

  template <class M, class... Reply>
  void take(M message, Reply... reply) {
    auto& [how, script] = std::get<rules<M>>(rules_);
    if (!came(type_name<M>(), how)) return;
    if constexpr (request<M>) {
      if (script) {
        answer<M>(script, message, reply...);
        return;
      }
      waiting.push_back(any(std::in_place_type<asked<M>>, std::move(message), std::move(reply)...));
    } else {
      if (script) {
        script(message);
        return;
      }
      waiting.push_back(any(std::in_place_type<M>, std::move(message)));
    }
    changed.set();
  }

  template <class M>
  struct script_of {
    using type = std::function<void(const M&)>;
  };
  template <request M>
  struct script_of<M> {
    using type = std::function<reply_of<M>(const M&)>;
  };
  template <class M>
  struct rules {
    manner how = manner::wanted;
    typename script_of<M>::type script;
  };
  template <class M>
  rules<M>& rules_of() {
    return std::get<rules<M>>(rules_);
  }

  std::deque<any> waiting;

 private:
  template <class M, class Script>
  static void answer(Script& script, const M& message, reply_to<reply_of<M>>& reply) {
    try {
      if constexpr (std::is_void_v<reply_of<M>>) {
        script(message);
        reply.answer();
      } else {
        reply.answer(script(message));
      }
    } catch (...) {
      reply.fail(std::current_exception());
    }
  }
  std::tuple<rules<Ms>...> rules_;
};

template <class P>
class probe_actor;
template <class... Ms>
class probe_actor<protocol<Ms...>> final : public actor<protocol<Ms...>> {
 public:
  using state = typed_probe_state<protocol<Ms...>>;
  explicit probe_actor(std::shared_ptr<state> shared) : state_(std::move(shared)) {}

  template <class M>
    requires(std::same_as<M, Ms> || ...) && (!request<M>)
  void on(M message) {
    state_->take(std::move(message));
  }
  template <request M>
    requires(std::same_as<M, Ms> || ...)
  void on(M message, reply_to<reply_of<M>> reply) {
    state_->take(std::move(message), std::move(reply));
  }

 private:
  std::shared_ptr<state> state_;
};

}  // namespace internal

/// An actor of any protocol that a test holds in its hands: it stands where the program's other actors would be, and says what came.
///
///     probe<account::protocol> bank;
///     clerk.tell(go{bank.ref()});
///     const deposit got = co_await bank.expect<deposit>([](const deposit& d) { return d.cents == 100; });
///     auto asked = co_await bank.expect<balance>();
///     asked.reply.answer(100);
///     co_await bank.expect_nothing(1min);
///
/// Messages wait in the order in which they came; an expectation looks at the first. One that is not met within its time, a message that
/// is not the one, and a forbidden one are `expectation_failed`, which tells the last messages as well.
///
/// Life: begins and ends with this object, on the running loop. Copies are not made; `ref` may be given away.
/// Threads: its loop's.
template <class P>
class probe {
 public:
  static constexpr duration patience = std::chrono::seconds(3);

  /// Errors: as of `spawn`.
  probe() : state_(std::make_shared<state>()), ref_(spawn<internal::probe_actor<P>>(state_)) {}
  ~probe() {
    if (ref_) ref_.stop();
  }
  probe(const probe&) = delete;
  probe& operator=(const probe&) = delete;

  actor_ref<P> ref() const { return ref_; }
  operator actor_ref<P>() const { return ref_; }  // NOLINT(*-explicit-*)

  /// The next message, which has to be an `M` that `fits`, and come `within` that time.
  /// Errors: `expectation_failed`. Cancel: takes nothing.
  template <class M, class Fits>
    requires std::is_invocable_r_v<bool, Fits&, const M&>
  coro<internal::received<M>> expect(Fits fits, duration within = patience) {
    co_await arrival(within, "a message " + std::string(type_name<M>()));
    auto* const found = std::get_if<internal::received<M>>(&state_->waiting.front());
    if (found == nullptr)
      state_->fail_with(std::string(type_name<M>()), "a message of another type");
    if (!fits(internal::content_of<M>(*found)))
      state_->fail_with(std::string(type_name<M>()) + " with another content",
                        "one that does not fit");
    internal::received<M> taken = std::move(*found);
    state_->waiting.pop_front();
    co_return taken;
  }
  template <class M>
  coro<internal::received<M>> expect(duration within = patience) {
    return expect<M>([](const M&) { return true; }, within);
  }
  /// The same with a matcher of Catch2's, or anything that has `match` and `toString`.
  template <class M, class Matcher>
    requires requires(const Matcher& m, const M& value) {
      { m.match(value) } -> std::convertible_to<bool>;
      { m.toString() } -> std::convertible_to<std::string>;
    }
  coro<internal::received<M>> expect(Matcher matcher, duration within = patience) {
    return expect<M>([held = std::move(matcher)](const M& got) { return held.match(got); }, within);
  }
  /// One of each, in this order.
  template <class... Ms>
  coro<std::tuple<internal::received<Ms>...>> expect_in_order(duration within = patience) {
    std::tuple<std::optional<internal::received<Ms>>...> all;
    co_await each_of<0, Ms...>(all, within);
    co_return std::apply(
        [](auto&... got) { return std::tuple<internal::received<Ms>...>(std::move(*got)...); },
        all);
  }
  /// That no message waits, and none comes for so long.
  coro<> expect_nothing(duration lasting = patience) {
    state_->expect_no_fault();
    if (state_->waiting.empty()) {
      state_->changed.clear();
      try {
        co_await timeout(lasting, wait_for_change());
      } catch (const timeout_error&) {
        state_->expect_no_fault();
        if (state_->waiting.empty()) co_return;
      }
    }
    state_->expect_no_fault();
    state_->fail_with("nothing", "a message");
  }

  /// From now on an `M` is passed over wherever it comes.
  template <class M>
  void allow() {
    state_->template rules_of<M>().how = internal::probe_state::manner::allowed;
  }
  /// From now on an `M` makes the next expectation fail.
  template <class M>
  void forbid() {
    state_->template rules_of<M>().how = internal::probe_state::manner::forbidden;
  }
  /// From now on an `M` is given to `script`, and its answer is what that returns or throws.
  template <class M, class Script>
  void reply(Script script) {
    state_->template rules_of<M>().script = std::move(script);
  }
  /// How many messages wait.
  std::size_t waiting() const noexcept { return state_->waiting.size(); }

 private:
  using state = internal::typed_probe_state<P>;

  coro<> wait_for_change() { co_await state_->changed.wait(); }
  coro<> arrival(duration within, std::string expected) {
    for (;;) {
      state_->expect_no_fault();
      if (!state_->waiting.empty()) co_return;
      state_->changed.clear();
      bool in_time = true;
      try {
        co_await timeout(within, wait_for_change());
      } catch (const timeout_error&) {
        in_time = false;
      }
      state_->expect_no_fault();
      if (!in_time && state_->waiting.empty()) state_->fail(expected);
    }
  }
  template <std::size_t Index, class First, class... Others, class All>
  coro<> each_of(All& all, duration within) {
    std::get<Index>(all).emplace(co_await expect<First>(within));
    if constexpr (sizeof...(Others) != 0) co_await each_of<Index + 1, Others...>(all, within);
  }

  std::shared_ptr<state> state_;
  actor_ref<P> ref_;
};

}  // namespace troupe::testing
