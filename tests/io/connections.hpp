// What the tests of connections over memory share: the transports that each scene is played over, and the stream at the other end.
#pragma once

#include <troupe/io/stream.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "io/odd_transports.hpp"

#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::testing {

using wrapper = std::unique_ptr<io::transport> (*)(std::unique_ptr<io::transport>);

inline std::unique_ptr<io::transport> as_it_is(std::unique_ptr<io::transport> below) {
  return below;
}
inline std::unique_ptr<io::transport> without_foreknowledge(std::unique_ptr<io::transport> below) {
  return std::make_unique<opaque>(std::move(below));
}
inline std::unique_ptr<io::transport> a_byte_at_a_time(std::unique_ptr<io::transport> below) {
  return std::make_unique<torn>(std::move(below), 1);
}
inline std::unique_ptr<io::transport> too_early(std::unique_ptr<io::transport> below) {
  return std::make_unique<late>(std::move(below));
}

/// Runs the scene over each kind of transport.
inline void play(coro<> (*scene)(wrapper)) {
  for (const wrapper wrap : {as_it_is, without_foreknowledge, a_byte_at_a_time, too_early})
    testing::run(scene(wrap));
}

/// Time for all that can happen: `late` takes some.
inline coro<> settle() { co_await sleep(1s); }

/// What comes until the end of data, or until an error, which is told behind it.
inline coro<std::string> all_of(io::stream& from) {
  std::string text;
  try {
    for (;;) {
      const io::bytes some = co_await from.read_some();
      if (some.empty()) co_return text;
      text += some.text();
    }
  } catch (const std::system_error& error) {
    text += "!" + error.code().message();
  }
  co_return text;
}

/// What `all_of` says of a stream that was reset.
inline std::string was_reset() {
  return "!" + std::make_error_code(std::errc::connection_reset).message();
}

}  // namespace troupe::testing
