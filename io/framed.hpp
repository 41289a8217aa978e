#pragma once

#include <troupe/io/codec.hpp>
#include <troupe/io/stream.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::io {

namespace internal {

/// A read of a frame, whatever the codec.
class frame_wait_base : public read_wait {
 public:
  explicit frame_wait_base(const stream& from) noexcept;

 private:
  bool attempt() final;
  /// What comes of bytes that are there; nothing when they are no frame yet.
  std::optional<bool> settle_with(const decoded& found);
  bool at_end();

  virtual decoded decode(std::string_view so_far, bool at_end) = 0;
  /// Takes the frame that was found out of `in`.
  virtual void take(bytes& in, const decoded& found) = 0;
  virtual std::string explain(std::error_code why) = 0;
};

/// Takes a frame out of bytes: those of a codec that gives out bytes are not copied when nothing else lies there.
template <codec C>
typename C::frame take_frame(C& how, bytes& in, const decoded& found) {
  if constexpr (std::same_as<typename C::frame, bytes>) {
    constexpr std::size_t worth_it = 1024;
    if (found.size == in.size() && found.begin + found.length == found.size &&
        found.length >= worth_it && in.room().size() <= found.length) {
      in.consume(found.begin);
      return std::exchange(in, bytes());
    }
  }
  const auto consume = [&in, &found] {
    in.consume(found.size);
    if (in.empty()) in = bytes();
  };
  try {
    typename C::frame made = how.make(in.text().substr(found.begin, found.length));
    consume();
    return made;
  } catch (...) {
    consume();
    throw;
  }
}

template <codec C>
class frame_wait final : public frame_wait_base {
 public:
  frame_wait(const stream& from, C& how) noexcept : frame_wait_base(from), how_(&how) {}

  std::optional<typename C::frame> await_resume() {
    settle();
    return std::move(result_);
  }

 private:
  decoded decode(std::string_view so_far, bool at_end) override {
    return how_->decode(so_far, at_end);
  }
  void take(bytes& in, const decoded& found) override {
    result_.emplace(take_frame(*how_, in, found));
  }
  std::string explain(std::error_code why) override { return explanation(*how_, why); }

  C* how_;
  std::optional<typename C::frame> result_;
};

}  // namespace internal

/// Frames instead of bytes over a stream, as a codec has them.
///
///     io::framed<io::length_prefixed> peer(co_await io::open_connection(where));
///     peer.write("hello");
///     co_await peer.drain();
///     while (auto answer = co_await peer.read()) use(*answer);
///
/// What was read ahead stays in the stream, which may be taken out again between two frames; so may a first line be read before the
/// stream is framed.
/// Life, Threads: as of the stream.
template <codec C>
class framed {
 public:
  using frame = typename C::frame;

  explicit framed(stream over, C how = C())
      : how_(std::make_unique<C>(std::move(how))), wire_(std::move(over)) {}

  /// The next frame; nothing at the end of data.
  /// Errors: `bad_frame` for bytes that are none: after one that was dropped, as the codec has it, the next read goes on behind it;
  /// after others each read fails. `incomplete_read` when the data ends inside of a frame; its bytes have been taken. Those of all
  /// reads. Cancel: takes nothing.
  internal::frame_wait<C> read() { return internal::frame_wait<C>(wire_, *how_); }

  /// Sends a frame, as `stream::write` does, in one piece with what is around it.
  /// Errors: `bad_frame`; as of `stream::write`.
  template <class Frame>
    requires requires(C& how, const Frame& given) { how.encode(given); }
  void write(const Frame& given) {
    const encoded made = how_->encode(given);
    const std::array<std::string_view, 3> parts = made.parts();
    wire_.write(std::span<const std::string_view>(parts));
  }
  internal::drain_wait drain() { return wire_.drain(); }
  void write_eof() { wire_.write_eof(); }

  void close() noexcept { wire_.close(); }
  void abort() noexcept { wire_.abort(); }
  internal::close_wait wait_closed() { return wire_.wait_closed(); }

  const stream& wire() const noexcept { return wire_; }
  C& how() noexcept { return *how_; }
  /// The stream, with all that was read and belongs to no frame that was given out. Pre: nobody reads.
  stream release() noexcept { return std::move(wire_); }

 private:
  std::unique_ptr<C> how_;  ///< where a read finds it though this is moved
  stream wire_;
};

}  // namespace troupe::io
