#include <troupe/io/bytes.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

using troupe::io::bytes;

namespace {

/// Fills the room of `target` with `text`.
void append(bytes& target, std::string_view text) {
  REQUIRE(target.room().size() >= text.size());
  std::memcpy(target.room().data(), text.data(), text.size());
  target.grow(text.size());
}

}  // namespace

TEST_CASE("bytes made of a text hold a copy of it") {
  std::string text = "hello";
  const bytes made(text);
  text.assign("other");
  CHECK(made.text() == "hello");
}

TEST_CASE("bytes hold zeros like any other byte") {
  const bytes made(std::string_view("a\0b\0", 4));
  CHECK(made.text() == std::string_view("a\0b\0", 4));
}

TEST_CASE("bytes are empty by default") {
  const bytes none;
  CHECK(none.empty());
  CHECK(none.size() == 0);
  CHECK(none.text().empty());
  CHECK(none.span().empty());
}

TEST_CASE("bytes of an empty text are empty and have no room") {
  bytes none{std::string_view()};
  CHECK(none.empty());
  CHECK(none.room().empty());
}

TEST_CASE("bytes are moved and never copied unasked") {
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<bytes>);
  STATIC_REQUIRE(std::is_nothrow_move_assignable_v<bytes>);
  STATIC_REQUIRE(!std::is_copy_constructible_v<bytes>);
  STATIC_REQUIRE(!std::is_copy_assignable_v<bytes>);
}

TEST_CASE("moving bytes keeps the memory and leaves nothing behind") {
  bytes from(std::string_view("hello"));
  const std::byte* const where = from.data();
  const bytes to = std::move(from);
  CHECK(to.data() == where);
  CHECK(to.text() == "hello");
  CHECK(from.empty());  // NOLINT(*-use-after-move)
  CHECK(from.room().empty());
}

TEST_CASE("assigning to bytes replaces what they held") {
  bytes held(std::string_view("old"));
  held = bytes(std::string_view("new text"));
  CHECK(held.text() == "new text");
}

TEST_CASE("bytes assigned to themselves stay as they are") {
  bytes held(std::string_view("same"));
  bytes& again = held;
  held = std::move(again);
  CHECK(held.text() == "same");
}

TEST_CASE("a copy of bytes is independent of the original") {
  bytes original(std::string_view("hello"));
  bytes copied = original.copy();
  copied.data()[0] = std::byte{'J'};
  CHECK(original.text() == "hello");
  CHECK(copied.text() == "Jello");
}

TEST_CASE("a copy of consumed bytes has only what is left") {
  bytes original(std::string_view("hello"));
  original.consume(3);
  const bytes copied = original.copy();
  CHECK(copied.text() == "lo");
}

TEST_CASE("consuming drops bytes from the front") {
  bytes held(std::string_view("hello"));
  held.consume(2);
  CHECK(held.text() == "llo");
  held.consume(0);
  CHECK(held.text() == "llo");
  held.consume(3);
  CHECK(held.empty());
}

TEST_CASE("bytes with capacity are empty until they are told to have grown") {
  bytes buffer = bytes::with_capacity(10);
  CHECK(buffer.empty());
  CHECK(buffer.room().size() == 10);
  append(buffer, "abc");
  CHECK(buffer.text() == "abc");
  CHECK(buffer.room().size() == 7);
  append(buffer, "defghij");
  CHECK(buffer.text() == "abcdefghij");
  CHECK(buffer.room().empty());
}

TEST_CASE("consuming gives no room back") {
  bytes buffer = bytes::with_capacity(4);
  append(buffer, "abcd");
  buffer.consume(4);
  CHECK(buffer.empty());
  CHECK(buffer.room().empty());
}

TEST_CASE("a capacity of nothing is possible") {
  bytes none = bytes::with_capacity(0);
  CHECK(none.empty());
  CHECK(none.room().empty());
}

TEST_CASE("bytes beyond 4 GiB are refused") {
  const std::size_t most = std::numeric_limits<std::uint32_t>::max();
  CHECK_THROWS_AS(bytes::with_capacity(most + 1), std::length_error);
}

TEST_CASE("swapping exchanges two runs of bytes") {
  bytes first(std::string_view("first"));
  bytes second(std::string_view("second"));
  second.consume(3);
  first.swap(second);
  CHECK(first.text() == "ond");
  CHECK(second.text() == "first");
}

TEST_CASE("bytes of every size keep their content") {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{17}, std::size_t{1024},
        std::size_t{1025}, std::size_t{65536}, std::size_t{131073}, std::size_t{1} << 20}) {
    const std::string text(size, 'x');
    const bytes held(text);
    const bool same = held.text() == text;
    CHECK(same);
  }
}
