#pragma once

#include <troupe/actors/cluster/internal/inflow.hpp>
#include <troupe/actors/cluster/messages.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/cluster/remote.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/event.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::cluster::internal {

/// What a frame is. Each begins with its length, 32 bits, and this.
enum class frame : std::uint8_t {
  hello = 1,  ///< id, name, address, longest frame
  beat,
  type,      ///< number, name, layout: of what follows under that number
  tell,      ///< actor, type, message
  ask,       ///< actor, number of the ask, type, message
  answer,    ///< number of the ask, type or 0, answer
  failure,   ///< number of the ask, kind, text
  withdraw,  ///< number of the ask
  ended,     ///< actor, how, text
  stop,      ///< actor
  kill,      ///< actor
  name,      ///< name, actor or 0: it is published, or no more
  member,    ///< id and address of another node
  release,   ///< actor, how often it was told of: nobody knows it here any more
  pause,     ///< actor: what is for it is to be held back
  resume     ///< actor: no more
};

inline constexpr std::size_t longest_published = 1024;

/// Why an ask failed over there.
enum class failure_kind : std::uint8_t {
  dead,
  full,
  no_reply,
  rejected,
  timed_out,
  unknown,
  too_large,
  other,
  given_up,
  lost  ///< another node
};

/// A node of another program to which there is a connection, from hello to the end of that; then it is lost, for ever.
///
/// Threads: the node's loop.
class peer final : public answer_sink, public std::enable_shared_from_this<peer> {
 public:
  /// It takes `longest` bytes at once; the connection was made by this node, or by that one.
  peer(node::core& of, node_info who, std::uint64_t longest, bool dialled) noexcept
      : node_(&of), info_(std::move(who)), longest_(longest), dialled_(dialled) {}

  const node_info& info() const noexcept { return info_; }
  bool lost() const noexcept { return lost_; }
  bool dialled() const noexcept { return dialled_; }

  // --- out ------------------------------------------------------------------------------------------------------------

  /// Takes over a message. Pre: not lost.
  void send(stand_in& from, envelope& item) noexcept;
  void send_stop(std::uint64_t number, bool kills);
  void send_ended(std::uint64_t number, const exit_reason& why);
  void send_name(std::string_view name, std::uint64_t number);
  void send_member(const node_info& other);
  void send_beat();
  /// It is to hold back what it has for that actor of this node, or not to any more. Nothing happens when it is lost.
  void send_pause(std::uint64_t number, bool paused);
  /// Gives up asks that nobody waits for any more, and refs that nobody has.
  void sweep();

  /// For messages, behind answers.
  bool has_room() const noexcept { return takes_more() && put_off_.empty(); }
  /// For those to an actor of its.
  bool has_room(std::uint64_t number) const noexcept {
    return has_room() && (paused_.empty() || !paused_.contains(number));
  }
  /// Returns when there may be, or it is lost.
  static coro<> wait_for_room(std::shared_ptr<peer> at, std::uint64_t number);
  event room;
  event something_to_send;
  io::bytes take_out() {
    const std::size_t size = out_.size();
    io::bytes taken = out_.take();
    out_ = writer(std::min(size, largest_begin));
    return taken;
  }
  void set_in_stream(std::size_t unsent) noexcept;
  std::size_t most_unsent = 0;
  std::size_t most_refs = 0;
  std::size_t most_waiting = 0;  ///< messages to one of its actors, while there is no room

  // --- in -------------------------------------------------------------------------------------------------------------

  /// Errors: `malformed`, which ends the connection.
  void receive(std::span<const std::byte> bytes);
  /// The connection has ended.
  void lose(const std::string& why) noexcept;
  time_point heard{};
  bool sent_since = false;  ///< anything, since the last beat

  // --- refs -----------------------------------------------------------------------------------------------------------

  void put_ref(writer& to, cell* who, const protocol_table& messages);
  cell* get_ref(reader& from, const protocol_table& messages);
  /// The actor that stands here for that one there, with a count.
  cell* stand_in_for(std::uint64_t number, const protocol_table& messages);
  void add(stand_in& made);
  void remove(const stand_in& gone) noexcept;
  /// An actor of this node has ended.
  void forget(std::uint64_t number) noexcept {
    given_.erase(number);
    forget_inflow(number);
  }

  /// What it has published.
  std::map<std::string, std::uint64_t, std::less<>> names;
  std::size_t refs() const noexcept { return stand_ins_.size(); }
  std::size_t asks() const noexcept { return asks_.size(); }
  /// Actors of its that have no room.
  std::size_t paused() const noexcept { return paused_.size(); }
  /// Bytes from it that wait for room here.
  std::size_t waits_here() const noexcept { return waiting_here_->load(); }

  // --- answers --------------------------------------------------------------------------------------------------------

  writer& begin_answer(const served_ask& to, const shape* content) override;
  void end_answer(const served_ask& to) override;
  void drop_answer() noexcept override;
  bool put_off(served_ask& answered) override;
  void failed(const served_ask& ended, const std::exception_ptr& error) noexcept override;

 private:
  struct told_type {
    std::string name;
    std::string text;
    layout what;
    std::unordered_map<const protocol_table*, const message_entry*>
        entries;  ///< what it is there, or null
    /// Null where there is none such.
    const message_entry* in(const protocol_table& table);
    enum class fit : std::uint8_t { same, readable, no };
    std::map<const shape*, fit> fits;  ///< as one of ours
  };
  struct open_ask {
    reply_slot* asker;
    const message_entry* message;
  };
  struct unreadable;

  bool takes_more() const noexcept { return out_.size() + in_stream_ < most_unsent; }
  void tell_put_off() noexcept;
  /// Notes that it is told of an actor of this node in the frame that is written.
  void give(std::uint64_t number);
  void take_back(std::uint64_t number, std::uint64_t times) noexcept;
  /// It has told of an actor of its. Errors: `malformed`, when there are too many.
  void receive_number(std::uint64_t number);
  void release_refs();
  void begin(frame what);
  /// Errors: `message_too_large`; then nothing of it is sent.
  void end();
  void cut() noexcept;
  /// The number under which values of that layout are sent, which is told first.
  std::uint64_t number_of(const shape& content, std::string_view name);
  void encode(stand_in& from, const message_entry& message, envelope& item);
  void fail(std::uint64_t ask, failure_kind kind, std::string_view text);

  void receive_type(reader& from);
  void receive_message(reader& from, bool asked);
  void pass_on_told(const message_entry& message, reader& from, const layout* theirs,
                    std::uint64_t number, cell& to);
  void forget_inflow(std::uint64_t number) noexcept;
  void receive_pause(std::uint64_t number);
  void receive_resume(std::uint64_t number);
  void report_refused(const std::exception_ptr& why);
  void receive_answer(reader& from);
  void receive_failure(reader& from);
  void receive_ended(reader& from);
  void receive_name(reader& from);
  void unname(std::uint64_t number) noexcept;
  told_type& type(std::uint64_t number);
  /// The layout to read by; null when it is ours. Errors: `unreadable`.
  const layout* layout_for(told_type& told, const shape& ours);

  static constexpr std::size_t largest_begin = std::size_t{1} << 16;

  node::core* node_;  ///< null when that has gone
  node_info info_;
  std::uint64_t longest_;
  const bool dialled_;
  bool lost_ = false;
  writer out_;
  std::size_t frame_begin_ = 0;
  std::size_t in_stream_ = 0;
  std::unordered_map<const shape*, std::uint64_t> numbers_;
  std::vector<told_type> types_;
  std::uint64_t last_ask_ = 0;
  std::unordered_map<std::uint64_t, open_ask> asks_;
  std::unordered_map<std::uint64_t, served_ask*> serving_;
  std::deque<served_ask*> put_off_;  ///< answers for which there is no room; owned
  std::multimap<std::uint64_t, stand_in*> stand_ins_;
  std::unordered_map<const cell*, std::uint64_t>
      numbers_there_;  ///< of those who stand for its actors
  // A ref may be on its way while the last one is released here: so it is counted how often an actor was told of, there and here, and a release
  // says how many of them it answers. What was in a message that was refused unread is not released, up to the end of the actor, or the connection.
  std::unordered_map<std::uint64_t, std::uint64_t> given_;  ///< actors of this node
  std::vector<std::uint64_t> given_in_frame_;
  struct known_actor {
    std::uint64_t told = 0;   ///< how often
    std::uint32_t names = 0;  ///< that lead to it
  };
  std::unordered_map<std::uint64_t, known_actor> known_;  ///< actors of its
  /// Those of them that are not to be sent anything now, and who waits for that to end.
  std::unordered_map<std::uint64_t, std::shared_ptr<event>> paused_;
  std::unordered_map<std::uint64_t, std::shared_ptr<inflow>> inflows_;  ///< for actors of this node
  inflow_total waiting_here_ = std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace troupe::cluster::internal
