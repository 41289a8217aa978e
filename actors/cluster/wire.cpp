#include <troupe/actors/cluster/wire.hpp>

#include <algorithm>

namespace troupe::cluster {

void writer::enlarge(std::size_t more) {
  io::bytes larger = io::bytes::with_capacity(std::max(out_.size() * 2, out_.size() + more));
  if (!out_.empty()) std::memcpy(larger.room().data(), out_.data(), out_.size());
  larger.grow(out_.size());
  out_.swap(larger);
}

void writer::count(std::uint64_t value) {
  while (value >= 0x80) {
    number(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  number(static_cast<std::uint8_t>(value));
}

void writer::text(std::string_view value) {
  count(value.size());
  put(value.data(), value.size());
}

std::string_view reader::text() {
  const std::size_t size = count_of(1, 1);
  return {reinterpret_cast<const char*>(take(size).data()), size};
}

bool is_name(std::string_view text, std::size_t longest) {
  return !text.empty() && text.size() <= longest &&
         std::none_of(text.begin(), text.end(), [](char each) {
           return static_cast<unsigned char>(each) < 0x20 || each == '\x7f';
         });
}

std::string reader::name(std::size_t longest) {
  const std::string_view found = text();
  if (!found.empty() && !is_name(found, longest)) refuse("a name that is none");
  return std::string(found);
}

void reader::refuse(const char* why) {
  throw malformed(std::string("bytes that are no message: ") + why);
}
void reader::cut_off() { refuse("they end too early"); }
void reader::too_deep() { refuse("values lie in values, deeper than there may be"); }

std::uint64_t reader::count() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto next = number<std::uint8_t>();
    value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
    if ((next & 0x80) == 0) {
      if (shift == 63 && next > 1) break;
      return value;
    }
  }
  refuse("a number of things goes on and on");
}

std::size_t reader::count_of(std::size_t least, std::size_t memory) {
  const std::uint64_t found = count();
  if (found > left() / std::max<std::size_t>(least, 1))
    refuse("there are to be more things than there are bytes");
  const std::uint64_t takes = found * memory;
  if (takes > memory_) refuse("they would take more memory than a message may");
  memory_ -= takes;
  return static_cast<std::size_t>(found);
}

void reader::enter(const layout& structure) { around.push_back(&structure); }

void reader::leave(const layout& structure, std::size_t known) {
  for (; known < structure.parts.size(); ++known) skip(structure.parts[known]);
  around.pop_back();
}

void reader::skip(const layout& given) {
  const layout& what = resolved(given);
  enter();
  using kind = layout::kind;
  switch (what.what) {
    case kind::number:
      static_cast<void>(take(what.size));
      break;
    case kind::text:
    case kind::bytes:
    case kind::ref:
      static_cast<void>(take(count_of(1, 0)));
      break;
    case kind::optional:
      if (number<std::uint8_t>() != 0) skip(what.parts[0]);
      break;
    case kind::list:
      for (std::size_t left_over = count_of(1, 0); left_over != 0; --left_over) skip(what.parts[0]);
      break;
    case kind::array:
      // One that holds nothing has no bytes that limit it.
      if (what.size > left()) cut_off();
      for (std::uint32_t index = 0; index < what.size; ++index) skip(what.parts[0]);
      break;
    case kind::structure:
      around.push_back(&what);
      for (const layout& each : what.parts) skip(each);
      around.pop_back();
      break;
    case kind::variant: {
      const auto index = number<std::uint8_t>();
      if (index >= what.parts.size()) refuse("a variant has another alternative than there are");
      skip(what.parts[index]);
      break;
    }
    case kind::duration:
    case kind::time:
      skip(what.parts[0]);
      break;
    case kind::again:
      refuse("a layout that refers to nothing");
  }
  leave();
}

}  // namespace troupe::cluster
