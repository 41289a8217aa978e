#pragma once

#include <troupe/runtime/fields.hpp>

#include <caf/atom.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <caf/type_erased_tuple.hpp>

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

/// A type is a CAF message of one element: itself. So a CAF actor handles it as `[](const deposit& d) {...}`. CAF wants a type of messages
/// to be one that can be copied, and either to have an `inspect` or to be declared, outside of namespaces, by
/// `CAF_ALLOW_UNSAFE_MESSAGE_TYPE(deposit)`; an empty struct needs neither.
struct caf_element {};

/// A struct is a CAF message of these atoms, followed by its fields, of which there may be 16: a CAF actor handles it as
/// `[](caf::add_atom, int a, int b) {...}`. The struct has a default constructor.
template <class... Atoms>
struct caf_fields {};

/// How a message or answer of a troupe actor, of type `T`, is a CAF message. For another way than as an element, `T` says so,
///
///   struct add {
///     using reply = int;
///     using caf_form = troupe::caf_fields<caf::add_atom>;
///     int a = 0;
///     int b = 0;
///   };
///
/// or, where it is not to know of CAF, this is specialized: `template <> struct troupe::caf_form<add> : troupe::caf_fields<caf::add_atom> {};`.
/// A `std::tuple` as an answer is a message of its elements, as in CAF.
template <class T>
struct caf_form : caf_element {};
template <class T>
  requires requires { typename T::caf_form; }
struct caf_form<T> : T::caf_form {};

/// Left undefined: the compiler names what cannot be a CAF message.
template <class T>
struct caf_message_has_to_be_inspectable_or_allowed_and_copyable;
template <class T>
struct caf_fields_are_for_plain_structs_of_16_fields_that_can_be_made_empty;

namespace internal {

template <class T>
inline constexpr bool is_tuple = false;
template <class... Ts>
inline constexpr bool is_tuple<std::tuple<Ts...>> = true;

/// What CAF makes of a `T` in a message, as of any integer one of the same size.
template <class T>
using caf_stored =
    typename ::caf::unbox_message_element<typename ::caf::detail::strip_and_convert<T>::type>::type;

template <class T>
constexpr bool check_element() {
  if constexpr (!std::is_copy_constructible_v<T> ||
                !::caf::is_serializable_or_whitelisted<caf_stored<T>>::value)
    static_cast<void>(sizeof(caf_message_has_to_be_inspectable_or_allowed_and_copyable<T>));
  return true;
}

template <class T>
constexpr std::size_t caf_field_count() {
  constexpr std::size_t count = std::is_empty_v<T> ? 0 : field_count<T>();
  if constexpr (count > most_fields || !std::is_default_constructible_v<T>)
    static_cast<void>(
        sizeof(caf_fields_are_for_plain_structs_of_16_fields_that_can_be_made_empty<T>));
  return count;
}

template <class... Atoms>
struct caf_atoms_and_fields {
  template <class T>
  static ::caf::message put(T& value) {
    constexpr std::size_t count = caf_field_count<T>();
    if constexpr (count == 0) {
      return ::caf::make_message(::caf::atom_value(Atoms::value)...);
    } else {
      return with_fields<count>(value, [](auto&... each) {
        (static_cast<void>(check_element<std::remove_reference_t<decltype(each)>>()), ...);
        return ::caf::make_message(::caf::atom_value(Atoms::value)..., std::move(each)...);
      });
    }
  }

  template <class T>
  static bool get(::caf::type_erased_tuple& from, T& value) {
    constexpr std::size_t count = caf_field_count<T>();
    if (from.size() != sizeof...(Atoms) + count) return false;
    std::size_t at = 0;
    if (!(is_atom<Atoms>(from, at++) && ...)) return false;
    if constexpr (count != 0) {
      return with_fields<count>(value, [&](auto&... each) {
        if (!(from.match_element<caf_stored<std::remove_reference_t<decltype(each)>>>(at++) && ...))
          return false;
        at = sizeof...(Atoms);
        (take(from, at++, each), ...);
        return true;
      });
    }
    return true;
  }

 private:
  template <class Atom>
  static bool is_atom(const ::caf::type_erased_tuple& from, std::size_t at) {
    return from.match_element<::caf::atom_value>(at) &&
           from.get_as<::caf::atom_value>(at) == ::caf::atom_value(Atom::value);
  }
  template <class Field>
  static void take(::caf::type_erased_tuple& from, std::size_t at, Field& field) {
    field = static_cast<Field>(from.move_if_unshared<caf_stored<Field>>(at));
  }
};

template <class... Atoms>
caf_atoms_and_fields<Atoms...> atoms_of(const caf_fields<Atoms...>*);
/// What converts a `T`: a caf_form of the user's, or what stands for one of ours.
template <class T>
struct caf_conversion : caf_form<T> {};
template <class T>
  requires requires(const caf_form<T>* form) { atoms_of(form); }
struct caf_conversion<T> : decltype(atoms_of(static_cast<const caf_form<T>*>(nullptr))){};

/// `value`, moved from, as a CAF message.
template <class T>
::caf::message to_caf_message(T& value) {
  using form = caf_conversion<T>;
  if constexpr (is_tuple<T>) {
    return ::caf::make_message_from_tuple(std::move(value));
  } else if constexpr (std::is_base_of_v<caf_element, form>) {
    static_cast<void>(check_element<T>());
    return ::caf::make_message(std::move(value));
  } else {
    return form::put(value);
  }
}

template <class... Ts, std::size_t... At>
std::optional<std::tuple<Ts...>> caf_tuple(::caf::type_erased_tuple& from, std::tuple<Ts...>*,
                                           std::index_sequence<At...>) {
  if (from.size() != sizeof...(Ts) || !(from.match_element<caf_stored<Ts>>(At) && ...)) return {};
  return std::tuple<Ts...>(static_cast<Ts>(from.move_if_unshared<caf_stored<Ts>>(At))...);
}

/// The `T` that a CAF message is, if it is one.
template <class T>
std::optional<T> from_caf_message(::caf::type_erased_tuple& from) {
  using form = caf_conversion<T>;
  if constexpr (is_tuple<T>) {
    return caf_tuple(from, static_cast<T*>(nullptr),
                     std::make_index_sequence<std::tuple_size_v<T>>());
  } else if constexpr (std::is_base_of_v<caf_element, form>) {
    if (from.size() != 1 || !from.match_element<caf_stored<T>>(0)) return {};
    return static_cast<T>(from.move_if_unshared<caf_stored<T>>(0));
  } else {
    std::optional<T> made{std::in_place};
    if (!form::get(from, *made)) made.reset();
    return made;
  }
}

}  // namespace internal
}  // namespace troupe
