#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/cluster/codec.hpp>
#include <troupe/actors/protocol.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>
#include <utility>

// What a node does with the messages of a protocol, which it knows by tables only: one entry for each, made where a ref of the protocol is first
// sent, or asked for, by name.

namespace troupe::cluster::internal {

using troupe::internal::cell;
using troupe::internal::envelope;
using troupe::internal::reply_slot;

class served_ask;

/// Who sends answers home: the connection over which their requests came.
class answer_sink {
 public:
  /// The answer of that request follows; then `end_answer`, or `drop_answer` when it cannot be written.
  virtual writer& begin_answer(const served_ask& to, const shape* content) = 0;
  virtual void end_answer(const served_ask& to) = 0;
  virtual void drop_answer() noexcept = 0;
  /// Whether there is no room for it now: it is finished when there is.
  virtual bool put_off(served_ask& answered) = 0;
  /// It has failed; null: nobody wants it any more.
  virtual void failed(const served_ask& ended, const std::exception_ptr& error) noexcept = 0;

 protected:
  ~answer_sink() = default;
};

struct message_entry;

/// An ask that came from another node. Life: until it has been answered, has failed, or was withdrawn; it frees itself then. Threads: the
/// node's loop.
class served_ask final : private troupe::internal::observer, public troupe::internal::pooled {
 public:
  /// `asked` has not been sent yet; this is the one who waits for its answer.
  served_ask(answer_sink& to, std::uint64_t given, const message_entry& message,
             troupe::internal::open_ask& asked) noexcept
      : observer(&served_ask::on_done),
        sink(&to),
        number(given),
        message_(message),
        asked_(asked),
        answer_(asked.answer_to_come()) {
    answer_.add_observer(*this);
  }
  /// It may be over before this returns.
  void pass_on() noexcept { asked_.target().enqueue(asked_.request()); }
  /// Nobody waits for it any more.
  void give_up() noexcept {
    sink = nullptr;
    answer_.cancel("its asker has gone");
  }
  /// It is done, and whoever put it off has room for the answer.
  void finish() noexcept {
    if (sink != nullptr) tell(*sink);
    delete this;
  }

  answer_sink* sink;  ///< null when its connection has gone
  const std::uint64_t number;

 private:
  ~served_ask() { answer_.release(); }
  static void on_done(observer& self) noexcept {
    auto& mine = static_cast<served_ask&>(self);
    if (mine.sink == nullptr || !mine.sink->put_off(mine)) mine.finish();
  }
  void tell(answer_sink& to) noexcept;

  const message_entry& message_;
  troupe::internal::open_ask& asked_;
  future_base& answer_;
};

// What is made for each message and each answer is compiled for each, so it is as little as can be: what reads is in it once, and what
// differs by the answer only is a template of that.

/// The answer of an ask that has succeeded.
template <class R>
void put_answer(writer& to, future_base& done) {
  put_value(to, static_cast<troupe::internal::typed_future<R>&>(done).get());
}

template <class R>
void take_answer(reader& from, const layout* theirs, reply_slot& asked) {
  troupe::internal::outcome<R> given;
  if constexpr (std::is_void_v<R>) {
    given.set_value();
  } else {
    given.set_value(decoded<R>(from, theirs));
  }
  static_cast<troupe::internal::typed_reply_slot<R>&>(asked).answer_with(given);
}

template <class M>
struct message_functions {
  using held = troupe::internal::envelope_of<M>;

  static void put(writer& to, const envelope& item) {
    put_value(to, static_cast<const held&>(item).message);
  }
  [[gnu::noinline]] static M read(reader& from, const layout* theirs) {
    return decoded<M>(from, theirs);
  }
  static envelope& told(reader& from, const layout* theirs) {
    return *new held(read(from, theirs));
  }
  static troupe::internal::open_ask& ask(reader& from, const layout* theirs, loop& here, cell& to) {
    return *new troupe::internal::ask_state<M>(here, to, read(from, theirs), infinite);
  }
};

/// What is done with an `M`. What is about answers is null where there are none.
struct message_entry {
  const troupe::internal::message_info* info;
  const shape* content;
  const shape* reply;  ///< null also for an answer that says nothing
  void (*put)(writer& to, const envelope& item);
  // Those that read may throw: `malformed`, and what a `coded` of the user's throws; nothing is done then.
  envelope& (*told)(reader& from, const layout* theirs);
  troupe::internal::open_ask& (*ask)(reader& from, const layout* theirs, loop& here, cell& to);
  void (*answer)(reader& from, const layout* theirs, reply_slot& asked);
  void (*put_answer)(writer& to, future_base& done);  ///< null also for an answer that says nothing

  /// Whether its sender waits for an answer.
  bool asked(const envelope& item) const noexcept {
    return ask != nullptr && item.reply != nullptr;
  }
  served_ask* make_ask(reader& from, const layout* theirs, cell& to, answer_sink& home,
                       std::uint64_t number) const {
    if (ask == nullptr) reader::refuse("a message is asked that has no answer");
    return new served_ask(home, number, *this, ask(from, theirs, *loop::current(), to));
  }
  void send_ask(served_ask& made) const noexcept { made.pass_on(); }
};

template <class M>
consteval message_entry make_entry() {
  using functions = message_functions<M>;
  message_entry made{&troupe::internal::envelope_of<M>::type,
                     &shape_of<M>::value,
                     nullptr,
                     &functions::put,
                     &functions::told,
                     nullptr,
                     nullptr,
                     nullptr};
  if constexpr (request<M>) {
    using reply = reply_of<M>;
    made.ask = &functions::ask;
    made.answer = &take_answer<reply>;
    if constexpr (!std::is_void_v<reply>) {
      made.reply = &shape_of<reply>::value;
      made.put_answer = &put_answer<reply>;
    }
  }
  return made;
}

template <class M>
inline constexpr message_entry entry_of = make_entry<M>();

struct remote_target;

/// All messages of a protocol, and how a ref of it to an actor elsewhere is made.
struct protocol_table {
  const message_entry* const* all;
  std::size_t count;
  /// Starts the actor that stands for it here. Gives it with a count.
  cell& (*stand_in)(const remote_target& there);

  /// Null when it has none such.
  const message_entry* find(const troupe::internal::message_info& info) const noexcept {
    for (std::size_t index = 0; index < count; ++index)
      if (all[index]->info == &info) return all[index];
    return nullptr;
  }
};

template <class P>
struct table_of;

}  // namespace troupe::cluster::internal
