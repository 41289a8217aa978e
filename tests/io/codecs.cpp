// Codecs alone: bytes in memory, cut in all ways. Random ones come from seeds.
#include <troupe/io/delimited.hpp>
#include <troupe/io/length_prefixed.hpp>
#include <troupe/io/lines.hpp>

#include "support/catch.hpp"
#include "support/random_numbers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using troupe::testing::random_numbers;

namespace {

std::string text_of(const std::string& frame) { return frame; }
std::string text_of(const io::bytes& frame) { return std::string(frame.text()); }

/// What a codec is fed with and makes of it: contents, and errors as "!reason".
template <io::codec C>
class feeder {
 public:
  explicit feeder(C how) : how_(std::move(how)) {}

  /// False when nothing more can be understood.
  bool feed(std::string_view part, bool at_end = false) {
    buffer_ += part;
    while (alive_) {
      const io::decoded found = how_.decode(buffer_, at_end);
      most_ = std::max(most_, buffer_.size());
      if (found.what == io::decoded::more) {
        needs = found.size;
        break;
      }
      if (found.what == io::decoded::broken) {
        out.push_back("!" + found.error.message());
        alive_ = false;
        break;
      }
      // Each step takes something, and nothing that is not there.
      REQUIRE(found.size != 0);
      REQUIRE(found.size <= buffer_.size());
      if (found.what == io::decoded::frame) {
        REQUIRE(found.begin + found.length <= found.size);
        out.push_back(
            text_of(how_.make(std::string_view(buffer_).substr(found.begin, found.length))));
      } else if (found.error) {
        out.push_back("!" + found.error.message());
      }
      buffer_.erase(0, found.size);
    }
    return alive_;
  }
  void end() {
    feed("", true);
    if (alive_ && !buffer_.empty()) out.push_back("!incomplete");
  }
  std::size_t held() const { return buffer_.size(); }
  std::size_t most_held() const { return most_; }
  C& how() { return how_; }
  std::string& buffer() { return buffer_; }

  std::vector<std::string> out;
  std::size_t needs = 0;

 private:
  C how_;
  std::string buffer_;
  std::size_t most_ = 0;
  bool alive_ = true;
};

using strings = std::vector<std::string>;

template <io::codec C>
strings decoded_at_once(C how, std::string_view bytes) {
  feeder<C> fed(std::move(how));
  fed.feed(bytes);
  fed.end();
  return fed.out;
}

template <io::codec C>
std::string encoded_text(C& how, const std::string& content) {
  std::string all;
  const io::encoded made = how.encode(std::string_view(content));
  for (const std::string_view part : made.parts()) all += part;
  return all;
}

std::string message(io::frame_errc of) { return "!" + make_error_code(of).message(); }
const std::string too_long = message(io::frame_errc::too_long);
const std::string bad_length = message(io::frame_errc::bad_length);

io::length_prefixed prefixed(io::length_width width, io::length_order order = io::length_order::big,
                             bool itself = false, std::size_t limit = 1 << 20) {
  io::length_options options;
  options.width = width;
  options.order = order;
  options.counts_itself = itself;
  options.limit = limit;
  return io::length_prefixed(options);
}

/// Calls `with` for one of each kind of codec.
template <class Function>
void each_codec(Function with) {
  with(io::lines());
  with(io::lines({.limit = 40, .rest_is_frame = false, .crlf = true}));
  with(io::delimited("\r\n"));
  with(io::delimited("aab", {.limit = 50, .rest_is_frame = true}));
  with(io::delimited(std::string(1, '\0')));
  for (const auto order : {io::length_order::big, io::length_order::little}) {
    for (const auto width : {io::length_width::one, io::length_width::two, io::length_width::four,
                             io::length_width::eight}) {
      with(prefixed(width, order));
      with(prefixed(width, order, true));
    }
  }
  with(prefixed(io::length_width::varint));
}

/// A content that any of them can send.
std::string content(random_numbers& random, std::size_t most = 36) {
  std::string made(random.below(most), ' ');
  for (char& each : made) each = static_cast<char>('c' + random.below(20));
  return made;
}

}  // namespace

// --- round trips ------------------------------------------------------------------------------------------------------

TEST_CASE("random frames that are cut at random places come out the same, whatever the codec") {
  each_codec([](auto how) {
    random_numbers random(7);
    for (int round = 0; round < 200; ++round) {
      strings sent;
      std::string bytes;
      for (std::size_t count = random.below(8); count != 0; --count) {
        sent.push_back(content(random));
        bytes += encoded_text(how, sent.back());
      }
      feeder fed(how);
      for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t part = 1 + random.below(12);
        fed.feed(std::string_view(bytes).substr(at, part));
        at += part;
      }
      REQUIRE(fed.out == sent);
      fed.end();
      REQUIRE(fed.out == sent);
    }
  });
}

TEST_CASE("frames that are torn at any byte come out the same, whatever the codec") {
  each_codec([](auto how) {
    const strings sent = {"first", "", "the third one", "d", ""};
    std::string bytes;
    for (const std::string& each : sent) bytes += encoded_text(how, each);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      feeder fed(how);
      fed.feed(std::string_view(bytes).substr(0, cut));
      fed.feed(std::string_view(bytes).substr(cut));
      REQUIRE(fed.out == sent);
    }
    feeder one_by_one(how);
    for (const char each : bytes) one_by_one.feed(std::string_view(&each, 1));
    REQUIRE(one_by_one.out == sent);
  });
}

TEST_CASE("garbage is taken apart within the limits, however it is mutated and cut") {
  // 22 codecs and seeds of 5000 inputs each.
  each_codec([](auto how) {
    random_numbers random(11);
    for (int input = 0; input < 5000; ++input) {
      std::string bytes;
      for (int count = 0; count < 3; ++count) bytes += encoded_text(how, content(random, 20));
      for (std::size_t count = random.below(5); count != 0; --count) {
        const std::size_t at = random.below(bytes.size());
        switch (random.below(4)) {
          case 0:
            bytes[at] = static_cast<char>(random.next());
            break;
          case 1:
            bytes.erase(at, 1 + random.below(3));
            break;
          case 2:
            bytes.insert(at, 1 + random.below(60), static_cast<char>(random.next()));
            break;
          default:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
        }
        if (bytes.empty()) bytes = "x";
      }
      feeder fed(how);
      for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t part = 1 + random.below(20);
        if (!fed.feed(std::string_view(bytes).substr(at, part))) break;
        at += part;
      }
      fed.end();
      std::size_t given = 0;
      for (const std::string& each : fed.out)
        if (each.empty() || each[0] != '!') given += each.size();
      REQUIRE(given <= bytes.size());
    }
  });
}

// --- no byte is looked at twice ---------------------------------------------------------------------------------------

TEST_CASE("bytes that have been looked at may become anything: they are not looked at again") {
  // Everything that was told to hold no end of a frame is filled with ends of frames.
  feeder lines(io::lines({.limit = 5000}));
  feeder delimited(io::delimited("xyz", {.limit = 5000}));
  for (int part = 0; part < 400; ++part) {
    lines.feed("ten bytes ");
    lines.buffer().assign(lines.buffer().size(), '\n');
    delimited.feed("ten bytes ");
    std::string& held = delimited.buffer();
    for (std::size_t place = 0; place + 2 < held.size(); ++place) held[place] = "xyz"[place % 3];
  }
  CHECK(lines.out.empty());
  CHECK(delimited.out.empty());
  lines.feed("\n");
  delimited.feed("xyz");
  REQUIRE(lines.out.size() == 1);
  REQUIRE(delimited.out.size() == 1);
  CHECK(lines.out[0].size() == 4000);
  CHECK(delimited.out[0].size() == 4000);
}

TEST_CASE("a length is read once") {
  feeder fed(prefixed(io::length_width::four));
  fed.feed(std::string_view("\0\0\0\5", 4));
  CHECK(fed.needs == 9);
  fed.buffer().assign(4, '\xff');
  fed.feed("hello");
  CHECK(fed.out == strings{"hello"});
}

TEST_CASE("a delimiter whose beginning repeats itself costs no more than any other") {
  // With a naive search this would be 10^11 comparisons.
  const std::string delimiter = std::string(100'000, 'a') + 'b';
  feeder fed(io::delimited(delimiter, {.limit = 4'000'000}));
  fed.feed(std::string(1'000'000, 'a'));
  fed.feed("b");
  REQUIRE(fed.out.size() == 1);
  CHECK(fed.out[0].size() == 900'000);
}

// --- lines ------------------------------------------------------------------------------------------------------------

TEST_CASE(
    "lines end with a newline, also one after a carriage return, and the last may have none") {
  CHECK(decoded_at_once(io::lines(), "a\nb\r\n\n\r\nc\rd\nlast") ==
        strings{"a", "b", "", "", "c\rd", "last"});
  CHECK(decoded_at_once(io::lines({.rest_is_frame = false}), "a\nlast") ==
        strings{"a", "!incomplete"});
  CHECK(decoded_at_once(io::lines(), "").empty());
}

TEST_CASE("a line of exactly the limit is a line, and one byte more is not") {
  for (const char* end : {"\n", "\r\n"}) {
    feeder fed(io::lines({.limit = 4}));
    for (const char each : "1234" + std::string(end) + "12345" + end + "ok" + end)
      fed.feed(std::string_view(&each, 1));
    CHECK(fed.out == strings{"1234", too_long, "ok"});
  }
}

TEST_CASE("a line that is too long is dropped as it comes, and the next one is fine") {
  feeder fed(io::lines({.limit = 10}));
  for (int part = 0; part < 1000; ++part) fed.feed("twelve bytes");
  CHECK(fed.most_held() < 30);
  fed.feed("the end\nnext\n");
  fed.feed(std::string(50, 'x'));
  fed.end();
  CHECK(fed.out == strings{too_long, "next", too_long});
}

TEST_CASE("what is no line is not sent as one") {
  io::lines how({.limit = 5});
  CHECK(encoded_text(how, "12345") == "12345\n");
  CHECK_THROWS_AS(how.encode("a\nb"), io::bad_frame);
  CHECK_THROWS_AS(how.encode("a\r"), io::bad_frame);
  try {
    how.encode("123456");
    FAIL("a line beyond the limit was encoded");
  } catch (const io::bad_frame& error) {
    CHECK(error.code() == io::frame_errc::too_long);
    CHECK(std::string(error.what()) ==
          "a line of more than 5 bytes: longer than the limit of its codec");
  }
}

// --- delimiters -------------------------------------------------------------------------------------------------------

TEST_CASE("a delimiter may be any bytes, zeros too") {
  const std::string zeros(2, '\0');
  CHECK(decoded_at_once(io::delimited(zeros), "one" + zeros + zeros + "three" + zeros + "rest") ==
        strings{"one", "", "three", "!incomplete"});
  CHECK(decoded_at_once(io::delimited(";", {.rest_is_frame = true}), "a;b") == strings{"a", "b"});
  CHECK_THROWS_AS(io::delimited(""), std::invalid_argument);
}

TEST_CASE("a frame that is too long is dropped with its delimiter, also one that is torn") {
  const std::string bytes = std::string(100, 'x') + "--END--" + "fine--END--";
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    feeder fed(io::delimited("--END--", {.limit = 8}));
    fed.feed(std::string_view(bytes).substr(0, cut));
    fed.feed(std::string_view(bytes).substr(cut));
    REQUIRE(fed.out == strings{too_long, "fine"});
  }
}

TEST_CASE("a frame that would end too early is not sent") {
  const io::delimited how("aab");
  CHECK_THROWS_AS(how.encode("xaabx"), io::bad_frame);
  CHECK_NOTHROW(how.encode("xaa"));
  // Behind "ab" the delimiter "aba" ends two bytes early.
  CHECK_THROWS_AS(io::delimited("aba").encode("xab"), io::bad_frame);
}

// --- lengths ----------------------------------------------------------------------------------------------------------

TEST_CASE("lengths are written as they are said to be") {
  const auto head = [](io::length_prefixed how, std::size_t size) {
    const std::string body(size, 'x');
    const std::string text = encoded_text(how, body);
    return text.substr(0, text.find('x'));
  };
  using namespace std::string_literals;
  using io::length_order;
  using io::length_width;
  CHECK(head(prefixed(length_width::one), 5) == "\x05"s);
  CHECK(head(prefixed(length_width::two), 258) == "\x01\x02"s);
  CHECK(head(prefixed(length_width::two, length_order::little), 258) == "\x02\x01"s);
  CHECK(head(prefixed(length_width::four, length_order::big, true), 3) == "\0\0\0\x07"s);
  CHECK(head(prefixed(length_width::eight, length_order::little), 3) == "\x03\0\0\0\0\0\0\0"s);
  CHECK(head(prefixed(length_width::varint), 0) == "\0"s);
  CHECK(head(prefixed(length_width::varint), 127) == "\x7f"s);
  CHECK(head(prefixed(length_width::varint), 300) == "\xac\x02"s);
}

TEST_CASE("a length above the limit ends all understanding before anything is kept for it") {
  feeder fed(prefixed(io::length_width::eight, io::length_order::big, false, 100));
  CHECK_FALSE(fed.feed(std::string(8, '\xff')));
  CHECK(fed.needs == 0);
  CHECK(fed.out == strings{too_long});
  const io::decoded again = fed.how().decode("anything", false);
  CHECK(again.what == io::decoded::broken);
  CHECK(decoded_at_once(prefixed(io::length_width::one, io::length_order::big, false, 3),
                        "\3abc\4abcd") == strings{"abc", too_long});
}

TEST_CASE("a length that cannot be is told apart from one that is too large") {
  using namespace std::string_view_literals;
  CHECK(decoded_at_once(prefixed(io::length_width::four, io::length_order::big, true),
                        "\0\0\0\3"sv) == strings{bad_length});
  CHECK(decoded_at_once(prefixed(io::length_width::varint), std::string(11, '\xff')) ==
        strings{bad_length});
  // Ten bytes that are more than 64 bits.
  CHECK(decoded_at_once(prefixed(io::length_width::varint), std::string(9, '\xff') + "\2") ==
        strings{bad_length});
  CHECK(decoded_at_once(prefixed(io::length_width::varint), std::string(9, '\xff') + "\1") ==
        strings{too_long});
}

TEST_CASE("the end of data inside a length or a frame is told") {
  CHECK(decoded_at_once(prefixed(io::length_width::two), std::string_view("\0", 1)) ==
        strings{"!incomplete"});
  CHECK(decoded_at_once(prefixed(io::length_width::one), "\4abc") == strings{"!incomplete"});
}

TEST_CASE("a frame that its length cannot say is not sent, and impossible options are refused") {
  const std::string body(256, 'x');
  CHECK_THROWS_AS(prefixed(io::length_width::one).encode(body), io::bad_frame);
  CHECK_NOTHROW(prefixed(io::length_width::one).encode(body.substr(1)));
  CHECK_THROWS_AS(
      prefixed(io::length_width::one, io::length_order::big, true).encode(body.substr(1)),
      io::bad_frame);
  CHECK_THROWS_AS(prefixed(io::length_width::varint, io::length_order::big, true),
                  std::invalid_argument);
  if constexpr (sizeof(std::size_t) == 8) {
    CHECK_THROWS_AS(
        prefixed(io::length_width::eight, io::length_order::big, false, std::size_t{1} << 33),
        std::invalid_argument);
  }
}

TEST_CASE("errors of frames are bad messages, or too long ones, to who knows no codec") {
  CHECK(make_error_code(io::frame_errc::too_long) == std::errc::message_size);
  for (const auto each :
       {io::frame_errc::bad_length, io::frame_errc::bad_content, io::frame_errc::incomplete})
    CHECK(make_error_code(each) == std::errc::bad_message);
  CHECK(std::string(io::frame_category().name()) == "frame");
}
