#include <troupe/io/delimited.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace troupe::io {

namespace {

/// Where `wanted` begins in `text`, or npos. The C library's, because it takes no more than one look at each byte, whatever they are.
std::size_t find(std::string_view text, std::string_view wanted) noexcept {
  const void* const found = wanted.size() == 1
                                ? std::memchr(text.data(), wanted[0], text.size())
                                : ::memmem(text.data(), text.size(), wanted.data(), wanted.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

delimited::delimited(std::string delimiter, delimited_options options)
    : delimiter_(std::move(delimiter)), options_(options) {
  if (delimiter_.empty()) throw std::invalid_argument("frames cannot be delimited by nothing");
}

decoded delimited::decode(std::string_view so_far, bool at_end) {
  if (so_far.empty()) return decoded::need();
  const std::size_t found = find(so_far.substr(looked_), delimiter_);
  if (found != std::string_view::npos) {
    const std::size_t length = looked_ + found;
    const std::size_t size = length + delimiter_.size();
    looked_ = 0;
    if (std::exchange(dropping_, false)) return decoded::drop(size);
    if (length > options_.limit) return decoded::drop(size, frame_errc::too_long);
    return decoded::found(size, 0, length);
  }
  // The end of what is there may be the beginning of a delimiter.
  looked_ = so_far.size() - std::min(so_far.size(), delimiter_.size() - 1);
  if (at_end && dropping_) return decoded::drop(so_far.size());
  if (at_end && options_.rest_is_frame && so_far.size() <= options_.limit) {
    looked_ = 0;
    return decoded::found(so_far.size(), 0, so_far.size());
  }
  const std::size_t none_begins = looked_;
  if (dropping_ && none_begins != 0) {
    looked_ = 0;
    return decoded::drop(none_begins);
  }
  if (none_begins > options_.limit || (at_end && so_far.size() > options_.limit)) {
    dropping_ = true;
    looked_ = 0;
    return decoded::drop(at_end ? so_far.size() : none_begins, frame_errc::too_long);
  }
  if (at_end) looked_ = 0;
  return decoded::need();
}

encoded delimited::encode(std::string_view content) const {
  if (content.size() > options_.limit)
    throw bad_frame(frame_errc::too_long, explain(frame_errc::too_long));
  // Its last bytes and the first of the delimiter may make one too early.
  std::string seam(
      content.substr(content.size() - std::min(content.size(), delimiter_.size() - 1)));
  const std::size_t expected = seam.size();
  seam += delimiter_;
  if (find(content, delimiter_) != std::string_view::npos || find(seam, delimiter_) != expected)
    throw bad_frame(frame_errc::bad_content, "a frame that holds the delimiter of frames");
  encoded made;
  made.body = content;
  made.tail = delimiter_;
  return made;
}

std::string delimited::explain(std::error_code why) const {
  if (why != frame_errc::too_long) return "a frame";
  return "a frame of more than " + std::to_string(options_.limit) + " bytes before its delimiter";
}

}  // namespace troupe::io
