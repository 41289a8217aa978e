#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/owner_ref.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/io/codec.hpp>
#include <troupe/io/connection.hpp>
#include <troupe/io/framed.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace troupe::io {

/// The messages between a `framed_connection` and its owner, for frames of type `F`: those of a connection, with frames for bytes.
template <class F>
struct frames {
  /// Credit: the owner takes up to so many frames more. Without credit nothing is read.
  struct demand {
    std::size_t frames;
  };
  /// A frame for the peer; asked and told as `io::write` is. What cannot be encoded fails when asked, and ends the connection when told.
  /// Errors, when asked: `bad_frame`; as of `io::write`.
  struct write {
    using reply = void;
    explicit write(F given) noexcept : frame(std::move(given)) {}
    F frame;
  };
  using connection = protocol<demand, write, write_eof, close, abort>;

  /// A frame from the peer, for one of credit.
  struct frame {
    actor_ref<connection> from;
    F content;
  };
  /// Bytes from the peer that are no frame, and were dropped, for one of credit; frames may follow. Or an end of data inside of a frame,
  /// `frame_errc::incomplete`, which needs no credit. (A peer that cannot be understood any further ends the connection.)
  struct malformed {
    actor_ref<connection> from;
    std::error_code reason;
  };
  /// As of a connection, after all frames.
  struct end_of_data {
    actor_ref<connection> from;
  };
  /// All that was written has been handed to the operating system: so many frames since the last time.
  struct drained {
    actor_ref<connection> from;
    std::size_t frames;
  };
  /// The last word, as of a connection. `reason` may be of `frame_category` as well.
  struct closed {
    actor_ref<connection> from;
    std::error_code reason;
  };
  using events = protocol<frame, malformed, end_of_data, drained, closed>;
};

namespace internal {

/// What a connection of frames says to its actor.
class frame_sink {
 public:
  virtual decoded decode(std::string_view so_far, bool at_end) = 0;
  virtual void tell_frame(bytes& in, const decoded& found) = 0;
  virtual void tell_malformed(std::error_code reason) = 0;
  virtual void tell_end() = 0;
  virtual void tell_drained(std::size_t writes) = 0;
  virtual void tell_closed(std::error_code reason) noexcept = 0;
  virtual void ask_for_turn() = 0;

 protected:
  ~frame_sink() = default;
};

class frame_link;  // in framed_connection.cpp

/// The connection below frames.
class frame_source {
 public:
  frame_source(frame_sink& told, std::unique_ptr<transport> wire,
               const connection_options& options);
  frame_source(frame_sink& told, stream over, const connection_options& options);
  ~frame_source();
  void demand(std::size_t frames);
  void write(bytes&& chunk, reply_to<void>&& accepted);
  void end_writing();
  void close_when_flushed();
  void end(std::error_code reason) noexcept;

 private:
  std::unique_ptr<frame_link> link_;
};

}  // namespace internal

/// A connection whose owner is sent frames, as a codec has them, and not bytes.
///
///     using chat = io::frames<std::string>;
///     line_ = spawn<io::framed_connection<io::lines>>(io::make_transport(std::move(socket)), self());
///     line_.tell(chat::demand{16});
///
/// Made of an `io::stream`, as `framed::release` gives it, it goes on where that was, as a `stream_connection` does.
/// Life, Errors: as of `stream_connection`. A frame that cannot be, behind which nothing can be understood, ends it with the codec's error
/// and resets the peer.
/// Invariants: no more frames than credit; it holds at most one frame that has begun, and one read, besides what the owner has no
/// credit for of that read.
template <codec C>
class framed_connection final : public actor<typename frames<typename C::frame>::connection>,
                                private internal::frame_sink {
 public:
  using messages = frames<typename C::frame>;

  framed_connection(std::unique_ptr<transport> wire, actor_ref<typename messages::events> owner,
                    C how = C(), connection_options options = {})
      : how_(std::move(how)),
        owner_(std::move(owner), this->self()),
        source_(*this, std::move(wire), options) {
    if (!owner_)
      throw std::invalid_argument(
          "a connection needs an owner: somebody has to be told what comes");
  }
  framed_connection(stream over, actor_ref<typename messages::events> owner, C how = C(),
                    connection_options options = {})
      : how_(std::move(how)),
        owner_(std::move(owner), this->self()),
        source_(*this, std::move(over), options) {
    if (!owner_)
      throw std::invalid_argument(
          "a connection needs an owner: somebody has to be told what comes");
  }

  void on(typename messages::demand more) { source_.demand(more.frames); }
  void on(typename messages::write w, reply_to<void> accepted) {
    bytes chunk;
    try {
      chunk = encoded_bytes(w.frame);
    } catch (const std::system_error& error) {
      if (accepted.told()) return source_.end(error.code());
      return accepted.fail(std::current_exception());
    }
    source_.write(std::move(chunk), std::move(accepted));
  }
  void on(write_eof) { source_.end_writing(); }
  void on(close) { source_.close_when_flushed(); }
  void on(abort) { source_.end(std::make_error_code(std::errc::connection_aborted)); }
  void on_stop() { source_.end(std::make_error_code(std::errc::operation_canceled)); }

 private:
  bytes encoded_bytes(const typename C::frame& content) {
    const encoded made = how_.encode(content);
    bytes chunk = bytes::with_capacity(made.size());
    for (const std::string_view part : made.parts()) {
      if (part.empty()) continue;
      std::memcpy(chunk.room().data(), part.data(), part.size());
      chunk.grow(part.size());
    }
    return chunk;
  }

  decoded decode(std::string_view so_far, bool at_end) override {
    return how_.decode(so_far, at_end);
  }
  void tell_frame(bytes& in, const decoded& found) override {
    typename C::frame content = internal::take_frame(how_, in, found);
    owner_.tell(typename messages::frame{this->self(), std::move(content)});
  }
  void tell_malformed(std::error_code reason) override {
    owner_.tell(typename messages::malformed{this->self(), reason});
  }
  void tell_end() override { owner_.tell(typename messages::end_of_data{this->self()}); }
  void tell_drained(std::size_t writes) override {
    owner_.tell(typename messages::drained{this->self(), writes});
  }
  void tell_closed(std::error_code reason) noexcept override {
    owner_.tell(typename messages::closed{this->self(), reason});
    this->stop();
  }
  void ask_for_turn() override { this->self().tell(typename messages::demand{0}); }

  C how_;
  troupe::internal::owner_ref<typename messages::events> owner_;
  internal::frame_source source_;
};

}  // namespace troupe::io
