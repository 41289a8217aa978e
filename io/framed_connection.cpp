#include <troupe/io/framed_connection.hpp>

#include <troupe/io/internal/connection_core_functions.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

namespace troupe::io::internal {

/// Counts credit in frames: bytes are read while there is some and no whole frame, so that no more than one that has begun is held.
class frame_link final : private connection_core<frame_link, std::unique_ptr<transport>> {
  using core = connection_core<frame_link, std::unique_ptr<transport>>;
  friend core;

 public:
  frame_link(frame_sink& told, std::unique_ptr<transport> wire, bytes&& ahead,
             const connection_options& options)
      : core(options, std::move(wire)), told_(told) {
    go_on_after(std::move(ahead));
  }

  using core::close_when_flushed;
  using core::end;
  using core::end_writing;
  using core::write;

  void demand(std::size_t frames) {
    frames_ += std::min(frames, SIZE_MAX - frames_);
    give_out();
    if (frames == 0) return core::add_credit(0);  // its own turn
    core::read_some();
  }

 private:
  void tell_data(bytes&& chunk) {
    append(std::move(chunk));
    give_out();
  }
  /// Told when all that came before has been given out.
  bool tell_end() {
    ended_ = true;
    give_out();
    return false;
  }
  void tell_drained(std::size_t, std::size_t writes) { told_.tell_drained(writes); }
  void tell_closed(std::error_code reason) noexcept {
    in_ = bytes();
    told_.tell_closed(reason);
  }
  void ask_for_turn() { told_.ask_for_turn(); }

  void append(bytes&& chunk) {
    if (in_.empty()) {
      in_ = std::move(chunk);
      return;
    }
    if (in_.room().size() < chunk.size()) {
      // As much again, but no more than the frame is known to need.
      std::size_t capacity = 2 * in_.size();
      if (needed_ != 0) capacity = std::min(capacity, needed_);
      bytes larger = bytes::with_capacity(std::max(capacity, in_.size() + chunk.size()));
      std::memcpy(larger.room().data(), in_.data(), in_.size());
      larger.grow(in_.size());
      in_.swap(larger);
    }
    std::memcpy(in_.room().data(), chunk.data(), chunk.size());
    in_.grow(chunk.size());
  }

  /// Gives out what is there and has credit, and says how much more is to be read.
  void give_out() {
    while (open() && settle()) {
    }
    set_credit(frames_ != 0 && !ended_ ? SIZE_MAX : 0);
  }

  /// Whether there may be more to settle now.
  bool settle() {
    if (end_done_ || (frames_ == 0 && !ended_)) return false;
    if (ready_.what == decoded::more && !look()) return false;
    switch (ready_.what) {
      case decoded::more:
        needed_ = ready_.size;
        if (ended_) finish();
        return false;
      case decoded::broken:
        end(ready_.error);
        return false;
      case decoded::frame:
      case decoded::dropped:
        break;
    }
    const bool told = ready_.what == decoded::frame || ready_.error;
    if (told && frames_ == 0) return false;
    if (told) --frames_;
    give(std::exchange(ready_, decoded::need()));
    return true;
  }

  /// False: the codec has thrown, which ends this.
  bool look() {
    std::error_code reason;
    try {
      ready_ = told_.decode(in_.text(), ended_);
      return true;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::system_error& error) {
      reason = error.code();
    } catch (...) {
      reason = frame_errc::bad_content;
    }
    end(reason);
    return false;
  }

  void give(const decoded& found) {
    if (found.what == decoded::dropped) {
      in_.consume(found.size);
      if (in_.empty()) in_ = bytes();
      if (found.error) told_.tell_malformed(found.error);
      return;
    }
    std::error_code reason;
    try {
      told_.tell_frame(in_, found);
      return;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::system_error& error) {
      reason = error.code();
    } catch (...) {
      reason = frame_errc::bad_content;
    }
    told_.tell_malformed(reason);
  }

  /// All has been given out, and no more will come.
  void finish() {
    end_done_ = true;
    if (!std::exchange(in_, bytes()).empty()) told_.tell_malformed(frame_errc::incomplete);
    told_.tell_end();
    end_is_told();
  }

  frame_sink& told_;
  bytes in_;  ///< of the frame that has begun, and what there is no credit for
  decoded ready_ = decoded::need();  ///< what is at its front, when that waits for credit
  std::size_t needed_ = 0;           ///< bytes of that frame at least, where that is known
  std::size_t frames_ = 0;           ///< credit
  bool ended_ = false;
  bool end_done_ = false;
};

namespace {
std::unique_ptr<transport> checked(std::unique_ptr<transport> wire) {
  if (wire == nullptr) throw std::invalid_argument("a connection needs a transport");
  return wire;
}
std::unique_ptr<frame_link> link_after(frame_sink& told, stream&& over,
                                       const connection_options& options) {
  stream::pieces taken = over.take_apart();
  return std::make_unique<frame_link>(told, std::move(taken.wire), std::move(taken.read), options);
}
}  // namespace

frame_source::frame_source(frame_sink& told, std::unique_ptr<transport> wire,
                           const connection_options& options)
    : link_(std::make_unique<frame_link>(told, checked(std::move(wire)), bytes(), options)) {}

frame_source::frame_source(frame_sink& told, stream over, const connection_options& options)
    : link_(link_after(told, std::move(over), options)) {}

frame_source::~frame_source() = default;

void frame_source::demand(std::size_t frames) { link_->demand(frames); }
void frame_source::write(bytes&& chunk, reply_to<void>&& accepted) {
  link_->write(std::move(chunk), std::move(accepted));
}
void frame_source::end_writing() { link_->end_writing(); }
void frame_source::close_when_flushed() { link_->close_when_flushed(); }
void frame_source::end(std::error_code reason) noexcept { link_->end(reason); }

}  // namespace troupe::io::internal
