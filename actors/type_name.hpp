#pragma once

#include <string_view>

namespace troupe {

namespace internal {

template <class T>
constexpr std::string_view raw_type_name() noexcept {
#if defined(__clang__) || defined(__GNUC__)
  return __PRETTY_FUNCTION__;
#else
  return "unknown";
#endif
}

}  // namespace internal

/// The name of `T` as the compiler prints it, for messages to people.
template <class T>
constexpr std::string_view type_name() noexcept {
  // The text around the name is the same for every type; `int` tells how much there is.
  constexpr std::string_view probe = internal::raw_type_name<int>();
  constexpr std::size_t before = probe.rfind("int");
  constexpr std::size_t after = probe.size() - before - 3;
  std::string_view name = internal::raw_type_name<T>();
  name.remove_prefix(before);
  // g++ appends the alias list of string_view, as it does for the probe.
  name.remove_suffix(after);
  return name;
}

}  // namespace troupe
