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
  /// There is no room for it now: it is told again when there is.
  virtual bool put_off(served_ask& answered) = 0;
  /// It has failed; null: nobody wants it any more.
  virtual void failed(const served_ask& ended, const std::exception_ptr& error) noexcept = 0;

 protected:
  ~answer_sink() = default;
};

/// An ask that came from another node. Life: until it has been answered, has failed, or was withdrawn. Threads: the node's loop.
class served_ask {
 public:
  served_ask(answer_sink& to, std::uint64_t given) noexcept : sink(&to), number(given) {}
  /// Nobody waits for it any more.
  virtual void give_up() noexcept = 0;
  /// It is done, and there is room for the answer.
  virtual void tell() noexcept = 0;
  virtual void keep() noexcept = 0;
  virtual void let_go() noexcept = 0;

  answer_sink* sink;  ///< null when its connection has gone
  const std::uint64_t number;

 protected:
  ~served_ask() = default;
};

template <class M>
class served_ask_of final : public troupe::internal::ask_state<M>,
                            private troupe::internal::observer,
                            public served_ask {
 public:
  served_ask_of(answer_sink& to, std::uint64_t given, cell& target, M&& asked)
      : troupe::internal::ask_state<M>(*loop::current(), target, std::move(asked), infinite),
        observer(&served_ask_of::on_done),
        served_ask(to, given) {
    this->release();  // no future of it is handed out
    this->add_observer(*this);
  }
  /// It may be over before this returns.
  void pass_on() noexcept { this->target().enqueue(this->request_envelope()); }
  void give_up() noexcept override {
    sink = nullptr;
    this->cancel("its asker has gone");
  }

 private:
  static void on_done(observer& self) noexcept {
    auto& mine = static_cast<served_ask_of&>(self);
    if (mine.sink != nullptr && !mine.sink->put_off(mine)) mine.tell();
  }
  void tell() noexcept override {
    answer_sink& to = *sink;
    if (this->was_cancelled()) return to.failed(*this, nullptr);
    if (this->result_.has_error()) return to.failed(*this, this->result_.error());
    std::exception_ptr error;
    try {
      if constexpr (std::is_void_v<reply_of<M>>) {
        to.begin_answer(*this, nullptr);
      } else {
        put_value(to.begin_answer(*this, &shape_of<reply_of<M>>::value), this->result_.get());
      }
      return to.end_answer(*this);
    } catch (...) {
      error = std::current_exception();
    }
    to.drop_answer();
    to.failed(*this, error);
  }
  void keep() noexcept override { this->retain(); }
  void let_go() noexcept override { this->release(); }
  void destroy() noexcept override { delete this; }
};

/// What is done with an `M`.
struct message_entry {
  const troupe::internal::message_info* info;
  const shape* content;
  const shape* reply;                            ///< null for none, and for one that says nothing
  bool (*asked)(const envelope& item) noexcept;  ///< whether its sender waits for an answer
  void (*put)(writer& to, const envelope& item);
  // Those that read may throw: `malformed`, and what a `coded` of the user's throws; nothing is done then.
  void (*tell)(reader& from, const layout* theirs, cell& to);
  served_ask* (*make_ask)(reader& from, const layout* theirs, cell& to, answer_sink& home,
                          std::uint64_t number);
  void (*send_ask)(served_ask& made) noexcept;
  void (*answer)(reader& from, const layout* theirs, reply_slot& asked);
};

template <class M>
struct message_functions {
  using held = troupe::internal::envelope_of<M>;

  static void put(writer& to, const envelope& item) {
    put_value(to, static_cast<const held&>(item).message);
  }
  static void tell(reader& from, const layout* theirs, cell& to) {
    M given = decoded<M>(from, theirs);
    to.enqueue(*new held(std::move(given)));
  }
  static served_ask* make_ask(reader& from, const layout* theirs, cell& to, answer_sink& home,
                              std::uint64_t number) {
    if constexpr (request<M>) {
      M given = decoded<M>(from, theirs);
      return new served_ask_of<M>(home, number, to, std::move(given));
    } else {
      reader::refuse("a message is asked that has no answer");
    }
  }
  static void send_ask(served_ask& made) noexcept {
    if constexpr (request<M>) static_cast<served_ask_of<M>&>(made).pass_on();
  }
  static void answer(reader& from, const layout* theirs, reply_slot& asked) {
    if constexpr (request<M>) {
      auto& waiting = static_cast<troupe::internal::ask_state<M>&>(asked);
      if constexpr (std::is_void_v<reply_of<M>>) {
        waiting.answer();
      } else {
        reply_of<M> given = decoded<reply_of<M>>(from, theirs);
        waiting.answer(std::move(given));
      }
    }
  }
};

template <class M>
consteval const shape* reply_shape() {
  if constexpr (request<M>) {
    if constexpr (!std::is_void_v<reply_of<M>>) return &shape_of<reply_of<M>>::value;
  }
  return nullptr;
}

template <class M>
inline constexpr message_entry entry_of = {
    &troupe::internal::envelope_of<M>::type,
    &shape_of<M>::value,
    reply_shape<M>(),
    [](const envelope& item) noexcept { return request<M> && item.reply != nullptr; },
    &message_functions<M>::put,
    &message_functions<M>::tell,
    &message_functions<M>::make_ask,
    &message_functions<M>::send_ask,
    &message_functions<M>::answer};

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
