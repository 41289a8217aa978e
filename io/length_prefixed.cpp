#include <troupe/io/length_prefixed.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace troupe::io {

namespace {

constexpr std::size_t longest_varint = 10;

/// The largest length that fits into so many bytes.
std::uint64_t most_in(std::size_t width) noexcept {
  return width >= 8 ? std::numeric_limits<std::uint64_t>::max()
                    : (std::uint64_t{1} << (8 * width)) - 1;
}

}  // namespace

length_prefixed::length_prefixed(length_options options) : options_(options) {
  if (options_.limit > std::numeric_limits<std::uint32_t>::max())
    throw std::invalid_argument("a frame holds at most 4 GiB: set a lower limit");
  const auto width = static_cast<std::size_t>(options_.width);
  if (width == 0 && options_.counts_itself)
    throw std::invalid_argument("a varint in front of a frame cannot count itself");
  if (width != 0) {
    const std::uint64_t most = most_in(width) - (options_.counts_itself ? width : 0);
    options_.limit = static_cast<std::size_t>(std::min<std::uint64_t>(options_.limit, most));
  }
}

decoded length_prefixed::broken(frame_errc why) noexcept {
  broken_ = why;
  return decoded::fail(broken_);
}

/// Reads the length, when it is there.
decoded length_prefixed::header_of(std::string_view so_far) {
  auto width = static_cast<std::size_t>(options_.width);
  std::uint64_t length = 0;
  if (width != 0) {
    if (so_far.size() < width) return decoded::need(width);
    for (std::size_t place = 0; place != width; ++place) {
      const std::size_t from = options_.order == length_order::big ? place : width - 1 - place;
      length = length << 8 | static_cast<unsigned char>(so_far[from]);
    }
  } else {
    for (;; ++width) {
      if (width == longest_varint) return broken(frame_errc::bad_length);
      if (width == so_far.size()) return decoded::need(width + 1);
      const auto byte = static_cast<unsigned char>(so_far[width]);
      if (width == longest_varint - 1 && byte > 1) return broken(frame_errc::bad_length);
      length |= std::uint64_t{byte & 0x7fU} << (7 * width);
      if ((byte & 0x80U) == 0) break;
    }
    ++width;
  }
  if (options_.counts_itself) {
    if (length < width) return broken(frame_errc::bad_length);
    length -= width;
  }
  if (length > options_.limit) return broken(frame_errc::too_long);
  header_ = width;
  length_ = static_cast<std::size_t>(length);
  return decoded::need(header_ + length_);
}

decoded length_prefixed::decode(std::string_view so_far, bool at_end) {
  if (broken_) return decoded::fail(broken_);
  if (header_ == 0) {
    const decoded header = header_of(so_far);
    if (header_ == 0) return header;
  }
  const bool whole = so_far.size() - header_ >= length_;
  const decoded result = whole ? decoded::found(header_ + length_, header_, length_)
                               : decoded::need(header_ + length_);
  if (whole || at_end) header_ = 0;
  return result;
}

encoded length_prefixed::encode(std::string_view content) const {
  if (content.size() > options_.limit)
    throw bad_frame(frame_errc::too_long, explain(frame_errc::too_long));
  encoded made;
  made.body = content;
  const auto width = static_cast<std::size_t>(options_.width);
  std::uint64_t length = content.size() + (options_.counts_itself ? width : 0);
  if (width == 0) {
    for (; length >= 0x80; length >>= 7)
      made.head[made.head_size++] = static_cast<char>((length & 0x7f) | 0x80);
    made.head[made.head_size++] = static_cast<char>(length);
    return made;
  }
  for (std::size_t place = 0; place != width; ++place, length >>= 8) {
    const std::size_t to = options_.order == length_order::little ? place : width - 1 - place;
    made.head[to] = static_cast<char>(length & 0xff);
  }
  made.head_size = width;
  return made;
}

std::string length_prefixed::explain(std::error_code why) const {
  if (why != frame_errc::too_long) return "a frame with its length in front";
  return "a frame of more than " + std::to_string(options_.limit) + " bytes";
}

}  // namespace troupe::io
