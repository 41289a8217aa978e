#pragma once

#include <troupe/runtime/fields.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe::testing {

template <class T>
std::string text_of(const T& value);

namespace internal {

using troupe::internal::field_count;
using troupe::internal::most_fields;
using troupe::internal::with_fields;

/// "write" of "(anonymous namespace)::write".
template <class T>
std::string short_name() {
  std::string_view name = __PRETTY_FUNCTION__;
  name.remove_prefix(name.find("T = ") + 4);
  name = name.substr(0, name.find_first_of(";]"));
  name = name.substr(0, name.find('<'));
  const std::size_t colons = name.rfind("::");
  return std::string(colons == std::string_view::npos ? name : name.substr(colons + 2));
}

template <class T>
concept says_it_itself = requires(const T& value) {
  { to_string(value) } -> std::convertible_to<std::string>;
};
template <class T>
concept streamed = requires(std::ostream& to, const T& value) { to << value; };
template <class T>
concept points = std::is_null_pointer_v<T> ||
                 (!std::is_array_v<T> && !std::is_convertible_v<T, std::string_view> &&
                  requires(const T& value) { value == nullptr; });
template <class T>
concept perhaps_there = requires(const T& value) {
  value.has_value();
  *value;
};
template <class T>
concept listed = requires(const T& value) {
  std::begin(value);
  std::end(value);
};
template <class T>
concept tuple_like = requires { std::tuple_size<T>::value; };

template <class... Fields>
std::string fields_text(const Fields&... all) {
  std::string text;
  ((text += (text.empty() ? "" : ", ") + text_of(all)), ...);
  return '{' + text + '}';
}

template <class T>
std::string struct_text(const T& value) {
  constexpr std::size_t count = field_count<T>();
  if constexpr (count == 0 || count > most_fields) {
    return short_name<T>();
  } else {
    return with_fields<count>(
        value, [](const auto&... all) { return short_name<T>() + fields_text(all...); });
  }
}

}  // namespace internal

/// A value as a reader of a failed test is to see it: by the `to_string` or the `<<` of its type, if it has one; numbers, strings, optional
/// values, containers and tuples by what they hold; a plain struct as `write{3, "x"}`; any other type by its name.
/// Addresses are not shown, for they differ from run to run.
template <class T>
std::string text_of(const T& value) {
  if constexpr (internal::says_it_itself<T>) {
    return to_string(value);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    return {'\'', value, '\''};
  } else if constexpr (std::is_arithmetic_v<T>) {
    std::ostringstream out;
    out << +value;
    return out.str();
  } else if constexpr (std::is_enum_v<T> && !internal::streamed<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (internal::points<T>) {
    return value == nullptr ? "null" : "a pointer";
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return '"' + std::string(std::string_view(value)) + '"';
  } else if constexpr (internal::streamed<T> && !std::is_array_v<T>) {
    std::ostringstream out;
    out << value;
    return out.str();
  } else if constexpr (internal::perhaps_there<T>) {
    return value.has_value() ? text_of(*value) : "nothing";
  } else if constexpr (internal::listed<T>) {
    std::string text;
    for (const auto& each : value) text += (text.empty() ? "" : ", ") + text_of(each);
    return '[' + text + ']';
  } else if constexpr (internal::tuple_like<T>) {
    return std::apply(
        [](const auto&... all) {
          std::string text;
          ((text += (text.empty() ? "" : ", ") + text_of(all)), ...);
          return '(' + text + ')';
        },
        value);
  } else {
    return internal::struct_text(value);
  }
}

}  // namespace troupe::testing
