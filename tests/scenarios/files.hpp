// What the scenarios of files share.
#pragma once

#include <troupe/io/file_system.hpp>

#include "scenarios/support.hpp"

#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace troupe::testing {

/// Runs `body(directory)` with a directory that is empty, and gone afterwards.
template <class Body>
coro<> in_directory(Body body) {
  io::temporary place = co_await io::temporary_directory();
  co_await body(place.path());
}

inline void run_with_files(coro<> (*body)(std::string)) { run_scenario(in_directory(body)); }

/// The code of what `doing` throws, and what it says.
inline coro<std::error_code> error_of(coro<> doing, std::string* text = nullptr) {
  try {
    co_await std::move(doing);
  } catch (const std::system_error& error) {
    if (text != nullptr) *text = error.what();
    co_return error.code();
  }
  co_return std::error_code();
}

/// `doing` without its result.
template <class T>
coro<> dropped(coro<T> doing) {
  co_await std::move(doing);
}

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace troupe::testing
