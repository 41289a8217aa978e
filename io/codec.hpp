#pragma once

#include <troupe/io/bytes.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::io {

/// Why bytes are no frame. Codes of `frame_category`; a codec of one's own may have others.
enum class frame_errc {
  too_long = 1,  ///< a frame is longer than the limit
  bad_length,    ///< a length that cannot be: shorter than itself, or beyond 64 bits
  bad_content,   ///< the content is none that the codec knows, or cannot be framed by it
  incomplete,    ///< the data ended inside a frame
};
const std::error_category& frame_category() noexcept;
std::error_code make_error_code(frame_errc of) noexcept;

/// Bytes that are no frame, or a frame that cannot be sent: its code says why, its text what was wrong.
struct bad_frame : std::system_error {
  using std::system_error::system_error;
};

/// What a codec makes of the bytes so far. They begin where the last frame ended.
struct decoded {
  enum kind : std::uint8_t {
    more,     ///< no frame yet
    frame,    ///< the first bytes are a frame
    dropped,  ///< the first bytes are none and are to go; what follows may be one
    broken,   ///< nothing from here on can be understood
  };

  /// `altogether`: how many bytes there have to be at least, where that is known.
  static decoded need(std::size_t altogether = 0) noexcept { return {more, altogether, 0, 0, {}}; }
  /// A frame of `size` bytes in all, whose content is in `length` of them.
  static decoded found(std::size_t size, std::size_t begin, std::size_t length) noexcept {
    return {frame, size, begin, length, {}};
  }
  /// Without an error: more of what was already told to be bad.
  static decoded drop(std::size_t size, std::error_code why = {}) noexcept {
    return {dropped, size, 0, 0, why};
  }
  static decoded fail(std::error_code why) noexcept { return {broken, 0, 0, 0, why}; }

  kind what;
  std::size_t size;
  std::size_t begin;
  std::size_t length;
  std::error_code error;
};

/// A frame as it is sent: the codec's bytes around the content, which is not copied.
/// Life: until the next call of the codec, and no longer than what was encoded.
struct encoded {
  std::array<char, 16> head{};
  std::size_t head_size = 0;
  std::string_view body;
  std::string_view tail;

  std::array<std::string_view, 3> parts() const& noexcept {
    return {std::string_view(head.data(), head_size), body, tail};
  }
  void parts() const&& = delete;  // the head is in here: name it first
  std::size_t size() const noexcept { return head_size + body.size() + tail.size(); }
};

/// Where one message ends and the next begins, in a stream of bytes: a pure thing of memory, which waits for nothing and can be tested alone.
/// `framed` has it read and write a stream, `framed_connection` makes an actor of it.
///
///     decoded decode(std::string_view so_far, bool at_end);   // what is at the front of all bytes since the last frame
///     frame make(std::string_view content);                   // what is given out of a frame that was found
///     encoded encode(const frame&);                           // Errors: `bad_frame`
///
/// A codec remembers how far it has looked, so each byte is looked at once: after `more` it is called again with the same bytes and others
/// behind them; after `frame` and `dropped` with what follows those `size` bytes; after `broken` it only repeats that. `at_end` says that no
/// more will come; `more` then means that the data ended inside of a frame, and those bytes are gone. `make` may be called once after `frame`; what it throws is
/// told like a frame that was dropped. A codec may have a function `std::string explain(std::error_code)`, for texts of errors.
///
/// Every codec has a limit for the length of a frame, which is checked before memory is taken for it.
/// Threads: one at a time.
template <class C>
concept codec =
    std::move_constructible<C> && std::move_constructible<typename C::frame> &&
    requires(C& of, std::string_view text, bool at_end, const typename C::frame& given) {
      { of.decode(text, at_end) } -> std::same_as<decoded>;
      { of.make(text) } -> std::same_as<typename C::frame>;
      { of.encode(given) } -> std::same_as<encoded>;
    };

namespace internal {

template <codec C>
std::string explanation(C& of, std::error_code why) {
  if constexpr (requires { of.explain(why); }) {
    return of.explain(why);
  } else {
    return "a frame";
  }
}

}  // namespace internal
}  // namespace troupe::io

template <>
struct std::is_error_code_enum<troupe::io::frame_errc> : std::true_type {};
