#include <troupe/io/framed.hpp>

#include <troupe/io/internal/stream_core.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace troupe::io::internal {

frame_wait_base::frame_wait_base(const stream& from) noexcept
    : read_wait(stream_access::core(from)) {}

bool frame_wait_base::attempt() {
  // Not all at once: the length may be a peer's, who never sends so much.
  constexpr std::size_t at_once = std::size_t{1} << 18;
  stream_core& from = *from_;
  for (;;) {
    const decoded found = decode(from.in.text(), false);
    if (found.what == decoded::frame) {
      take(from.in, found);
      return true;
    }
    if (const std::optional<bool> settled = settle_with(found)) {
      if (*settled) return true;
      continue;
    }
    // A little more is read with what follows it.
    const std::size_t missing = found.size - std::min(found.size, from.in.size());
    switch (from.read_more(missing > from.good_size() ? std::min(missing, at_once) : 0)) {
      case stream_core::more::some:
        break;
      case stream_core::more::later:
        return false;
      case stream_core::more::failed:
        return over(nullptr);
      case stream_core::more::ended:
        return at_end();
    }
  }
}

/// True: this is over. False: bytes have gone, and there may be a frame behind them.
std::optional<bool> frame_wait_base::settle_with(const decoded& found) {
  bytes& in = from_->in;
  switch (found.what) {
    case decoded::more:
      return std::nullopt;
    case decoded::frame:
      take(in, found);
      return true;
    case decoded::dropped:
      in.consume(found.size);
      if (in.empty()) in = bytes();
      if (!found.error) return false;
      break;
    case decoded::broken:
      break;
  }
  fail(std::make_exception_ptr(
      bad_frame(found.error, explain(found.error) + ", from " + from_->wire().peer_name())));
  return true;
}

/// No more will come.
bool frame_wait_base::at_end() {
  for (;;) {
    bytes& in = from_->in;
    const decoded found = decode(in.text(), true);
    if (const std::optional<bool> settled = settle_with(found)) {
      if (*settled) return true;
      continue;
    }
    if (!in.empty()) {
      const std::optional<std::size_t> expected =
          found.size != 0 ? std::optional(found.size) : std::nullopt;
      std::string partial(in.text());
      in = bytes();
      fail(std::make_exception_ptr(incomplete_read(std::move(partial), expected)));
    }
    return true;
  }
}

}  // namespace troupe::io::internal
