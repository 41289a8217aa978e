#pragma once

#include <troupe/io/bytes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <deque>
#include <span>
#include <utility>

namespace troupe::io::internal {

/// Bytes that have been written and that the system has not taken yet, in order.
///
/// A limit counts bytes. A million chunks of one byte each would take fifty times as much memory, and as many parts to send, so small
/// ones are copied together.
class write_queue {
 public:
  static constexpr std::size_t most_parts = 16;

  bool empty() const noexcept { return chunks_.empty(); }
  std::size_t size() const noexcept { return size_; }

  void push(bytes chunk) {
    if (chunk.size() <= small_) return push(chunk.data(), chunk.size());
    size_ += chunk.size();
    gathering_ = false;
    chunks_.push_back(std::move(chunk));
  }
  void push(const void* data, std::size_t size) {
    if (size == 0) return;
    if (size > small_) return push(bytes(data, size));
    if (!gathering_ || chunks_.empty() || chunks_.back().room().size() < size)
      chunks_.push_back(bytes::with_capacity(gathered_));
    gathering_ = true;
    std::memcpy(chunks_.back().room().data(), data, size);
    chunks_.back().grow(size);
    size_ += size;
  }

  /// The first parts, to be sent together. Valid until the next change.
  struct parts {
    std::array<std::span<const std::byte>, most_parts> all;
    std::size_t count = 0;
    std::span<const std::span<const std::byte>> span() const noexcept {
      return {all.data(), count};
    }
  };
  parts front() const noexcept {
    parts found;
    found.count = std::min(chunks_.size(), most_parts);
    for (std::size_t index = 0; index < found.count; ++index)
      found.all[index] = chunks_[index].span();
    return found;
  }
  /// So many of them have been sent. Pre: count <= size().
  void sent(std::size_t count) noexcept {
    size_ -= count;
    while (count != 0) {
      bytes& first = chunks_.front();
      const std::size_t part = std::min(count, first.size());
      first.consume(part);
      count -= part;
      if (first.empty()) chunks_.pop_front();
    }
  }

 private:
  static constexpr std::size_t small_ = 512;
  static constexpr std::size_t gathered_ = 4096;

  std::deque<bytes> chunks_;
  std::size_t size_ = 0;
  bool gathering_ = false;  ///< the last of them gathers small ones
};

}  // namespace troupe::io::internal
