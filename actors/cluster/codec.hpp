#pragma once

#include <troupe/actors/cluster/layout.hpp>
#include <troupe/actors/cluster/wire.hpp>
#include <troupe/io/bytes.hpp>
#include <troupe/runtime/fields.hpp>
#include <troupe/runtime/time.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

// Values as bytes. Messages are plain structs, and so is what is in them: numbers, enums, bool, std::string, io::bytes, optional, variant, pair,
// tuple, array, containers, durations, points in time of the system's clock, refs, and structs of up to 16 such fields.
// Nothing has to be declared.
//
// A struct may be given further fields, at its end, with values to begin with: who knows them not passes them over, who misses them has those values. Any
// other change makes it another message, which is refused when it is first met.

namespace troupe::cluster {

/// How a type of your own is written, when it is no plain struct:
///
///     template <>
///     struct troupe::cluster::coded<money> {
///       using as = std::int64_t;                       // any type that is known
///       static as write(const money& m) { return m.cents(); }
///       static money read(as cents) { return money(cents); }   // may throw `malformed`
///     };
template <class T>
struct coded;

/// Left undefined: the compiler names the type in the one line that says what is wrong.
template <class T>
struct cannot_be_sent_to_another_node;

namespace internal {

/// What a layout is made of: what the compiler knows of a type.
struct shape {
  layout::kind what = layout::kind::structure;
  char sort = '\0';  ///< of a number
  std::uint32_t size = 0;
  std::intmax_t first = 0;  ///< of a period
  std::intmax_t second = 0;
  const shape* const* parts = nullptr;
  std::size_t count = 0;
};
std::string text_of(const shape& what);

template <class T>
concept coded_by_user = requires { typename coded<T>::as; };
/// Written by itself, of which others know how long it is: of refs. See remote.hpp.
template <class T>
concept coded_as_block = requires(writer& to, reader& from, const T& given, T& found) {
  { coded<T>::sort } -> std::convertible_to<layout::kind>;
  coded<T>::put(to, given);
  coded<T>::get(from, found);
};
template <class T>
concept is_number = std::is_arithmetic_v<T> && !std::is_same_v<T, long double>;
template <class T>
concept is_text = std::is_same_v<T, std::string>;
template <class T>
concept is_listed = requires(const T& value) {
  typename T::value_type;
  std::begin(value);
  std::end(value);
  value.size();
} && !is_text<T>;
template <class T>
concept is_appended = is_listed<T> && requires(T& to, typename T::value_type&& item) {
  to.push_back(std::move(item));
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... Ts>
inline constexpr bool is_variant<std::variant<Ts...>> = true;
template <class T>
inline constexpr bool is_tuple = false;
template <class... Ts>
inline constexpr bool is_tuple<std::tuple<Ts...>> = true;
template <class A, class B>
inline constexpr bool is_tuple<std::pair<A, B>> = true;
template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t n>
inline constexpr bool is_array<std::array<T, n>> = true;
template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;
template <class T>
inline constexpr bool is_time = false;
template <class Duration>
inline constexpr bool is_time<std::chrono::time_point<std::chrono::system_clock, Duration>> = true;

/// What an element of a container is made as: the key of a map is not const while it is read.
template <class T>
struct made_as {
  using type = T;
};
template <class A, class B>
struct made_as<std::pair<const A, B>> {
  using type = std::pair<A, B>;
};
template <class T>
using element_of = typename made_as<typename T::value_type>::type;

/// Numbers in a row are copied as a whole.
template <class T>
concept is_row =
    is_listed<T> &&
    (is_number<typename T::value_type> || std::is_same_v<typename T::value_type, std::byte>) &&
    !std::is_same_v<typename T::value_type, bool> && requires(T& value) {
      value.data();
      value.resize(std::size_t{});
    };

// --- writing ----------------------------------------------------------------------------------------------------------

template <class T>
void put_value(writer& to, const T& value) {
  if constexpr (coded_by_user<T>) {
    put_value<typename coded<T>::as>(to, coded<T>::write(value));
  } else if constexpr (coded_as_block<T>) {
    coded<T>::put(to, value);
  } else if constexpr (is_number<T>) {
    to.number(value);
  } else if constexpr (std::is_enum_v<T>) {
    to.number(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (is_text<T>) {
    to.text(value);
  } else if constexpr (std::is_same_v<T, io::bytes>) {
    to.text(value.text());
  } else if constexpr (is_optional<T>) {
    to.number(static_cast<std::uint8_t>(value.has_value()));
    if (value.has_value()) put_value(to, *value);
  } else if constexpr (is_variant<T>) {
    static_assert(std::variant_size_v<T> <= 255);
    to.number(static_cast<std::uint8_t>(value.index()));
    std::visit([&to](const auto& held) { put_value(to, held); }, value);
  } else if constexpr (is_array<T>) {
    for (const auto& each : value) put_value(to, each);
  } else if constexpr (is_tuple<T>) {
    std::apply([&to](const auto&... all) { (put_value(to, all), ...); }, value);
  } else if constexpr (is_duration<T>) {
    put_value(to, value.count());
  } else if constexpr (is_time<T>) {
    put_value(to, value.time_since_epoch());
  } else if constexpr (is_row<T>) {
    to.count(value.size());
    to.put(value.data(), value.size() * sizeof(typename T::value_type));
  } else if constexpr (is_listed<T>) {
    to.count(value.size());
    for (const auto& each : value) put_value(to, each);
  } else if constexpr (constexpr std::size_t count = troupe::internal::field_count<T>();
                       count == 0) {
  } else if constexpr (count <= troupe::internal::most_fields) {
    troupe::internal::with_fields<count>(value,
                                         [&to](const auto&... all) { (put_value(to, all), ...); });
  } else {
    static_cast<void>(sizeof(cannot_be_sent_to_another_node<T>));
  }
}

// --- reading ----------------------------------------------------------------------------------------------------------

template <class T>
void get_value(reader& from, T& value, const layout* theirs);

template <class T>
T decoded(reader& from, const layout* theirs) {
  T value{};
  get_value(from, value, theirs);
  return value;
}

/// The part of a peer's layout, where that differs from one's own.
inline const layout* part(const layout* theirs, std::size_t index) {
  return theirs != nullptr ? &theirs->parts[index] : nullptr;
}

/// Those of one's own fields that the peer has, too; what else he has is passed over.
template <class... Fields>
void decode_fields(reader& from, const layout* theirs, Fields&... all) {
  if (theirs != nullptr) from.enter(*theirs);
  std::size_t index = 0;
  // Once for both ways: it is compiled for each type.
  [[maybe_unused]] const auto next = [&](auto& field) {
    if (theirs == nullptr || index < theirs->parts.size())
      get_value(from, field, part(theirs, index));
    ++index;
  };
  (next(all), ...);
  if (theirs != nullptr) from.leave(*theirs, index);
}

template <class T, std::size_t... index>
void decode_alternative(reader& from, T& value, const layout* theirs,
                        std::index_sequence<index...> /*all*/) {
  const std::size_t which = from.number<std::uint8_t>();
  const auto take = [&]<std::size_t one>() {
    if (which == one) get_value(from, value.template emplace<one>(), part(theirs, one));
    return which == one;
  };
  if (!(take.template operator()<index>() || ...))
    reader::refuse("a variant has another alternative than there are");
}

template <class T>
void decode_list(reader& from, T& value, const layout* theirs) {
  using element = element_of<T>;
  static_assert(!std::is_empty_v<element>,
                "nothing limits how many there are of what takes no bytes");
  value.clear();
  for (std::size_t left = from.count_of(1, sizeof(element)); left != 0; --left) {
    element made = decoded<element>(from, part(theirs, 0));
    if constexpr (is_appended<T>) {
      value.push_back(std::move(made));
    } else {
      value.insert(std::move(made));
    }
  }
}

template <class T>
void get_value(reader& from, T& value, const layout* theirs) {
  if (theirs != nullptr) theirs = &from.resolved(*theirs);
  if constexpr (coded_by_user<T>) {
    value = coded<T>::read(decoded<typename coded<T>::as>(from, theirs));
  } else if constexpr (coded_as_block<T>) {
    coded<T>::get(from, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto given = from.number<std::uint8_t>();
    if (given > 1) reader::refuse("a truth that is neither");
    value = given != 0;
  } else if constexpr (is_number<T>) {
    value = from.number<T>();
  } else if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(from.number<std::underlying_type_t<T>>());
  } else if constexpr (is_text<T>) {
    value = from.text();
  } else if constexpr (std::is_same_v<T, io::bytes>) {
    value = io::bytes(from.text());
  } else if constexpr (is_optional<T>) {
    if (decoded<bool>(from, nullptr)) {
      get_value(from, value.emplace(), part(theirs, 0));
    } else {
      value.reset();
    }
  } else if constexpr (is_variant<T>) {
    decode_alternative(from, value, theirs, std::make_index_sequence<std::variant_size_v<T>>());
  } else if constexpr (is_array<T>) {
    for (auto& each : value) get_value(from, each, part(theirs, 0));
  } else if constexpr (is_tuple<T>) {
    std::apply([&](auto&... all) { decode_fields(from, theirs, all...); }, value);
  } else if constexpr (is_duration<T>) {
    value = T(decoded<typename T::rep>(from, nullptr));
  } else if constexpr (is_time<T>) {
    value = T(decoded<typename T::duration>(from, nullptr));
  } else if constexpr (is_row<T>) {
    constexpr std::size_t each = sizeof(typename T::value_type);
    value.resize(from.count_of(each, each));
    if (!value.empty())
      std::memcpy(value.data(), from.take(value.size() * each).data(), value.size() * each);
  } else if constexpr (is_listed<T>) {
    from.enter();
    decode_list(from, value, theirs);
    from.leave();
  } else if constexpr (constexpr std::size_t count = troupe::internal::field_count<T>();
                       count == 0) {
    decode_fields(from, theirs);
  } else if constexpr (count <= troupe::internal::most_fields) {
    troupe::internal::with_fields<count>(
        value, [&](auto&... all) { decode_fields(from, theirs, all...); });
  } else {
    static_cast<void>(sizeof(cannot_be_sent_to_another_node<T>));
  }
}

// --- layouts ----------------------------------------------------------------------------------------------------------

template <class T>
struct shape_of {
  static const shape value;
};
template <class... Ts>
struct shapes_of {
  static constexpr const shape* all[] = {&shape_of<std::remove_cvref_t<Ts>>::value...};
};
template <>
struct shapes_of<> {
  static constexpr const shape* const* all = nullptr;
};

template <layout::kind what, class... Ts>
consteval shape shape_with(std::uint32_t size = 0, std::intmax_t first = 0,
                           std::intmax_t second = 0) {
  return {what, '\0', size, first, second, shapes_of<Ts...>::all, sizeof...(Ts)};
}
template <class T>
consteval shape shape_of_number() {
  const bool is_signed = std::is_signed_v<T> || std::is_same_v<T, char>;
  const char sort = std::is_same_v<T, bool>       ? 'b'
                    : std::is_floating_point_v<T> ? 'f'
                    : is_signed                   ? 'i'
                                                  : 'u';
  return {layout::kind::number, sort, sizeof(T), 0, 0, nullptr, 0};
}
template <class... Ts>
consteval shape shape_of_alternatives(std::variant<Ts...>* /*all*/) {
  return shape_with<layout::kind::variant, Ts...>();
}
template <template <class...> class Tuple, class... Ts>
consteval shape shape_of_tuple(Tuple<Ts...>* /*all*/) {
  return shape_with<layout::kind::structure, Ts...>();
}
template <class... Ts>
consteval shape shape_of_fields(void (*)(Ts...)) {
  return shape_with<layout::kind::structure, Ts...>();
}

template <class T>
consteval shape find_shape() {
  using kind = layout::kind;
  if constexpr (coded_by_user<T>) {
    return find_shape<typename coded<T>::as>();
  } else if constexpr (coded_as_block<T>) {
    return shape_with<coded<T>::sort>();
  } else if constexpr (is_number<T>) {
    return shape_of_number<T>();
  } else if constexpr (std::is_enum_v<T>) {
    return shape_of_number<std::underlying_type_t<T>>();
  } else if constexpr (is_text<T>) {
    return shape_with<kind::text>();
  } else if constexpr (std::is_same_v<T, io::bytes>) {
    return shape_with<kind::bytes>();
  } else if constexpr (is_optional<T>) {
    return shape_with<kind::optional, typename T::value_type>();
  } else if constexpr (is_variant<T>) {
    return shape_of_alternatives(static_cast<T*>(nullptr));
  } else if constexpr (is_array<T>) {
    return shape_with<kind::array, typename T::value_type>(std::tuple_size_v<T>);
  } else if constexpr (is_tuple<T>) {
    return shape_of_tuple(static_cast<T*>(nullptr));
  } else if constexpr (is_duration<T>) {
    return shape_with<kind::duration, typename T::rep>(0, T::period::num, T::period::den);
  } else if constexpr (is_time<T>) {
    return shape_with<kind::time, typename T::duration>();
  } else if constexpr (is_listed<T>) {
    return shape_with<kind::list, element_of<T>>();
  } else if constexpr (constexpr std::size_t count = troupe::internal::field_count<T>();
                       count == 0) {
    return shape_with<kind::structure>();
  } else if constexpr (count <= troupe::internal::most_fields) {
    using fields = decltype(troupe::internal::with_fields<count>(
        std::declval<T&>(),
        [](auto&... all) -> void (*)(std::remove_cvref_t<decltype(all)>...) { return nullptr; }));
    return shape_of_fields(fields());
  } else {
    static_cast<void>(sizeof(cannot_be_sent_to_another_node<T>));
    return {};
  }
}

template <class T>
constinit const shape shape_of<T>::value = find_shape<T>();

}  // namespace internal

/// How a `T` lies in a message: see `layout`. Cost: it is made anew.
template <class T>
std::string layout_text() {
  return internal::text_of(internal::shape_of<T>::value);
}

/// Puts a value behind what there is. Errors: what a `coded` of the user's throws.
template <class T>
void encode(writer& to, const T& value) {
  internal::put_value(to, value);
}

/// Takes a value. `theirs` is null where the peer's layout is one's own; else it has to be `readable`. Errors: `malformed`.
template <class T>
T decode(reader& from, const layout* theirs = nullptr) {
  return internal::decoded<T>(from, theirs);
}

}  // namespace troupe::cluster
