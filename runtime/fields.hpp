#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

// The fields of plain structs: how many there are, and each of them. The way is that of Boost.PFR (Polukhin): a struct is initialized with ever more
// values, and taken apart by a structured binding.

namespace troupe::internal {

/// Is for any field, when it is asked how many there are: `{}` is, too, also for a whole array, and says nothing about its type.
struct anything {
  template <class U>
  operator U() const noexcept;  // NOLINT(*-explicit-*): that is what it is for
};
template <class T>
struct base_of {
  template <class U>
    requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>)
  operator U() const noexcept;  // NOLINT(*-explicit-*)
};
template <class T, class... Fields>
concept made_of = requires { T{std::declval<Fields>()...}; };

// clang-format off
template <class T>
concept has_1 = requires { T{{}}; };
template <class T>
concept has_2 = requires { T{{}, {}}; };
template <class T>
concept has_3 = requires { T{{}, {}, {}}; };
template <class T>
concept has_4 = requires { T{{}, {}, {}, {}}; };
template <class T>
concept has_5 = requires { T{{}, {}, {}, {}, {}}; };
template <class T>
concept has_6 = requires { T{{}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_7 = requires { T{{}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_8 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_9 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_10 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_11 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_12 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_13 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_14 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_15 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_16 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
template <class T>
concept has_17 = requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; };
// clang-format on

inline constexpr std::size_t most_fields = 16;
inline constexpr std::size_t unknown_fields = most_fields + 1;

/// 0 to `most_fields`, or `unknown_fields` for what is no plain struct, has more, or bases, or fields that are not to be asked so.
template <class T>
consteval std::size_t field_count() {
  if constexpr (!std::is_aggregate_v<T> || std::is_union_v<T> || made_of<T, base_of<T>>) {
    return unknown_fields;
  } else if constexpr (!has_1<T>) {
    return std::is_empty_v<T> ? 0 : unknown_fields;
  } else if constexpr (!has_2<T>) {
    return requires { T{{}, anything{}}; } ? unknown_fields : 1;
  } else if constexpr (!has_3<T>) {
    return requires { T{{}, {}, anything{}}; } ? unknown_fields : 2;
  } else if constexpr (!has_4<T>) {
    return requires { T{{}, {}, {}, anything{}}; } ? unknown_fields : 3;
  } else if constexpr (!has_5<T>) {
    return requires { T{{}, {}, {}, {}, anything{}}; } ? unknown_fields : 4;
  } else if constexpr (!has_6<T>) {
    return requires { T{{}, {}, {}, {}, {}, anything{}}; } ? unknown_fields : 5;
  } else if constexpr (!has_7<T>) {
    return requires { T{{}, {}, {}, {}, {}, {}, anything{}}; } ? unknown_fields : 6;
  } else if constexpr (!has_8<T>) {
    return requires { T{{}, {}, {}, {}, {}, {}, {}, anything{}}; } ? unknown_fields : 7;
  } else if constexpr (!has_9<T>) {
    return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, anything{}}; } ? unknown_fields : 8;
  } else if constexpr (!has_10<T>) {
    return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}}; } ? unknown_fields : 9;
  } else if constexpr (!has_11<T>) {
    return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}}; } ? unknown_fields
                                                                               : 10;
  } else if constexpr (!has_12<T>) {
    return requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}}; } ? unknown_fields
                                                                                   : 11;
  } else if constexpr (!has_13<T>) {
    return requires {
      T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}};
    } ? unknown_fields : 12;
  } else if constexpr (!has_14<T>) {
    return requires {
      T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}};
    } ? unknown_fields : 13;
  } else if constexpr (!has_15<T>) {
    return requires {
      T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}};
    } ? unknown_fields : 14;
  } else if constexpr (!has_16<T>) {
    return requires {
      T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}};
    } ? unknown_fields : 15;
  } else if constexpr (!has_17<T>) {
    return requires {
      T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, anything{}};
    } ? unknown_fields : 16;
  } else {
    return unknown_fields;
  }
}

/// `use(fields...)` of a value with that many. Pre: 1 to `most_fields`.
template <std::size_t count, class T, class Use>
constexpr decltype(auto) with_fields(T& value, Use&& use) {
  static_assert(count != 0 && count <= most_fields);
  if constexpr (count == 1) {
    auto& [a] = value;
    return use(a);
  } else if constexpr (count == 2) {
    auto& [a, b] = value;
    return use(a, b);
  } else if constexpr (count == 3) {
    auto& [a, b, c] = value;
    return use(a, b, c);
  } else if constexpr (count == 4) {
    auto& [a, b, c, d] = value;
    return use(a, b, c, d);
  } else if constexpr (count == 5) {
    auto& [a, b, c, d, e] = value;
    return use(a, b, c, d, e);
  } else if constexpr (count == 6) {
    auto& [a, b, c, d, e, f] = value;
    return use(a, b, c, d, e, f);
  } else if constexpr (count == 7) {
    auto& [a, b, c, d, e, f, g] = value;
    return use(a, b, c, d, e, f, g);
  } else if constexpr (count == 8) {
    auto& [a, b, c, d, e, f, g, h] = value;
    return use(a, b, c, d, e, f, g, h);
  } else if constexpr (count == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = value;
    return use(a, b, c, d, e, f, g, h, i);
  } else if constexpr (count == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = value;
    return use(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (count == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = value;
    return use(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (count == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = value;
    return use(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (count == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = value;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (count == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = value;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (count == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = value;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else if constexpr (count == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = value;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  }
}

}  // namespace troupe::internal
