#include <troupe/io/lines.hpp>

#include <cstring>
#include <utility>

namespace troupe::io {

decoded lines::decode(std::string_view so_far, bool at_end) {
  if (so_far.empty()) return decoded::need();
  const std::size_t newline = so_far.find('\n', looked_);
  if (newline != std::string_view::npos) {
    looked_ = 0;
    if (std::exchange(dropping_, false)) return decoded::drop(newline + 1);
    const bool crlf = newline != 0 && so_far[newline - 1] == '\r';
    const std::size_t length = newline - (crlf ? 1 : 0);
    if (length > options_.limit) return decoded::drop(newline + 1, frame_errc::too_long);
    return decoded::found(newline + 1, 0, length);
  }
  if (dropping_) return decoded::drop(so_far.size());
  // A "\r" may yet belong to the end of the line.
  const std::size_t limit = options_.limit + (!at_end && so_far.back() == '\r' ? 1 : 0);
  if (so_far.size() > limit) {
    dropping_ = true;
    looked_ = 0;
    return decoded::drop(so_far.size(), frame_errc::too_long);
  }
  if (at_end && options_.rest_is_frame) {
    looked_ = 0;
    return decoded::found(so_far.size(), 0, so_far.size());
  }
  looked_ = at_end ? 0 : so_far.size();
  return decoded::need();
}

encoded lines::encode(std::string_view content) const {
  if (content.size() > options_.limit)
    throw bad_frame(frame_errc::too_long, explain(frame_errc::too_long));
  if (content.find('\n') != std::string_view::npos)
    throw bad_frame(frame_errc::bad_content, "a line with a newline in it");
  if (content.ends_with('\r'))
    throw bad_frame(frame_errc::bad_content, "a line that ends with a carriage return");
  encoded made;
  made.body = content;
  made.tail = options_.crlf ? "\r\n" : "\n";
  return made;
}

std::string lines::explain(std::error_code why) const {
  if (why != frame_errc::too_long) return "a line";
  return "a line of more than " + std::to_string(options_.limit) + " bytes";
}

}  // namespace troupe::io
