#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace troupe::io {

/// A run of bytes with one owner: what is read, sent in messages and written, moved and never copied on the way. The front
/// can be consumed.
///
/// Cost: one allocation; moving is three words.
class bytes {
 public:
  bytes() noexcept = default;
  explicit bytes(std::string_view text) : bytes(text.data(), text.size()) {}
  explicit bytes(std::span<const std::byte> copied) : bytes(copied.data(), copied.size()) {}
  bytes(const void* copied, std::size_t size);
  bytes(bytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  bytes& operator=(bytes&& other) noexcept {
    bytes taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~bytes() { free(); }

  /// Room for `capacity` bytes, none of them there yet; fill `room` and tell `grow`.
  /// Errors: std::length_error above 4 GiB.
  static bytes with_capacity(std::size_t capacity);
  /// An independent copy.
  bytes copy() const { return bytes(data(), size()); }

  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  const std::byte* data() const noexcept { return data_ + begin_; }
  std::byte* data() noexcept { return data_ + begin_; }
  std::span<const std::byte> span() const noexcept { return {data(), size()}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data()), size()}; }

  /// Drops the first `count` bytes. Pre: count <= size().
  void consume(std::size_t count) noexcept { begin_ += static_cast<std::uint32_t>(count); }

  std::span<std::byte> room() noexcept { return {data_ + end_, capacity_ - end_}; }
  /// The first `count` bytes of the room are there now. Pre: count <= room().size().
  void grow(std::size_t count) noexcept { end_ += static_cast<std::uint32_t>(count); }

  void swap(bytes& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }

 private:
  void free() noexcept;

  std::byte* data_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};

}  // namespace troupe::io
