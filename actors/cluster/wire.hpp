#pragma once

#include <troupe/actors/cluster/layout.hpp>
#include <troupe/io/bytes.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

// Bytes on their way in and out: what codec.hpp is made of. Numbers have the byte order of nearly all machines, the least significant first.

namespace troupe::cluster {

static_assert(std::endian::native == std::endian::little,
              "numbers are sent as they lie in memory: this machine needs them turned round");

/// Puts values one behind the other. Cost: a copy; the buffer doubles.
class writer {
 public:
  explicit writer(std::size_t room = 256) : out_(io::bytes::with_capacity(room)) {}

  void put(const void* from, std::size_t size) {
    if (size == 0) return;
    std::memcpy(take(size), from, size);
  }
  template <class T>
    requires(std::is_arithmetic_v<T>)
  void number(T value) {
    std::memcpy(take(sizeof value), &value, sizeof value);
  }
  /// Small ones take a byte.
  void count(std::uint64_t value);
  void text(std::string_view value);

  std::size_t size() const noexcept { return out_.size(); }
  /// Overwrites what was put there before. Pre: it was.
  template <class T>
  void number_at(std::size_t place, T value) noexcept {
    std::memcpy(out_.data() + place, &value, sizeof value);
  }
  /// Takes back what was put behind there.
  void cut(std::size_t size) { out_ = io::bytes(out_.data(), size); }
  io::bytes take() noexcept { return std::move(out_); }

  /// Who knows what refs are, for those that are written: see remote.hpp.
  void* context = nullptr;

 private:
  std::byte* take(std::size_t size) {
    if (out_.room().size() < size) [[unlikely]]
      enlarge(size);
    std::byte* const place = out_.room().data();
    out_.grow(size);
    return place;
  }
  void enlarge(std::size_t more);

  io::bytes out_;
};

/// Whether people may be shown that as a name: it is there, is not longer than that, and has nothing that a terminal would take for a command.
bool is_name(std::string_view text, std::size_t longest);

/// What somebody may make this machine do by bytes that he sends.
struct reading_limits {
  std::size_t memory = std::size_t{1}
                       << 26;  ///< that the values of a message may take, beside its bytes
  std::size_t depth = 64;      ///< of values in values
};

/// Takes values one after the other. Errors, of all: `malformed`.
class reader {
 public:
  explicit reader(std::span<const std::byte> from, const reading_limits& limits = {}) noexcept
      : at_(from.data()), end_(at_ + from.size()), memory_(limits.memory), depth_(limits.depth) {}

  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  std::span<const std::byte> take(std::size_t size) {
    if (left() < size) [[unlikely]]
      cut_off();
    const std::span<const std::byte> taken(at_, size);
    at_ += size;
    return taken;
  }
  template <class T>
    requires(std::is_arithmetic_v<T>)
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::uint64_t count();
  /// Of things that take at least so many bytes each, here and in memory.
  std::size_t count_of(std::size_t least, std::size_t memory);
  std::string_view text();
  /// A text that `is_name`, or an empty one.
  std::string name(std::size_t longest);

  void enter() {
    if (depth_-- == 0) [[unlikely]]
      too_deep();
  }
  void leave() noexcept { ++depth_; }
  [[noreturn]] static void refuse(const char* why);

  /// Of the peer, where it differs from one's own: the structs that the value lies in.
  std::vector<const layout*> around;
  void enter(const layout& structure);
  /// Passes over those of its fields that come after so many.
  void leave(const layout& structure, std::size_t known);
  /// Passes over a value that was written as that.
  void skip(const layout& what);
  /// The one that it stands for.
  const layout& resolved(const layout& what) const {
    return what.what == layout::kind::again ? *around[around.size() - 1 - what.size] : what;
  }

  /// Who knows what refs are, for those that are read.
  void* context = nullptr;

 private:
  [[noreturn]] static void cut_off();
  [[noreturn]] static void too_deep();

  const std::byte* at_;
  const std::byte* end_;
  std::size_t memory_;
  std::size_t depth_;
};

}  // namespace troupe::cluster
