// Reading and writing descriptors as those do who know nothing of troupe.
#pragma once

#include <troupe/io/socket.hpp>

#include "support/catch.hpp"

#include <unistd.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::testing {

inline void put(const io::descriptor& into, std::string_view text) {
  REQUIRE(::write(into.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}
/// What is there, of 256 bytes at most.
inline std::string take(int from) {
  char text[256];
  const ssize_t got = ::read(from, text, sizeof text);
  return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : std::string();
}

}  // namespace troupe::testing
