#pragma once

#include <troupe/runtime/callable.hpp>

#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// Several failures that happened at once, such as those of the tasks of a group. Groups may hold groups.
///
///     catch (const exception_group& failed) {
///       auto [lost, rest] = failed.split<connection_lost>();   // each a group, or empty
///       if (!rest.empty()) throw rest;
///     }
///
/// Cost: copies share what they hold.
class exception_group : public std::runtime_error {
 public:
  struct parts;

  /// Errors: std::invalid_argument when `errors` is empty or holds a null.
  exception_group(const std::string& message, std::vector<std::exception_ptr> errors);

  /// What the whole was named, without the errors that `what()` adds.
  const std::string& message() const noexcept { return message_; }
  /// The errors, in the order in which they happened.
  const std::vector<std::exception_ptr>& exceptions() const noexcept { return errors_; }
  std::size_t size() const noexcept { return errors_.size(); }
  /// Only what `split` returns may be empty.
  bool empty() const noexcept { return errors_.empty(); }

  /// The errors of type `E`, at whatever depth, and the others, each in groups nested as they are here.
  template <class E>
  parts split() const;
  /// The same by a function of the error.
  parts split(const callable<bool(const std::exception_ptr&)>& wanted) const;
  /// The first of what `split` returns.
  template <class E>
  exception_group subgroup() const;
  /// Whether an error of type `E` is in it, at whatever depth.
  template <class E>
  bool contains() const {
    return !subgroup<E>().empty();
  }
  /// Calls `visit(error)` for each error that is no group, at whatever depth, in order.
  void for_each(const callable<void(const std::exception_ptr&)>& visit) const;

 private:
  struct unchecked {};
  exception_group(unchecked, const std::string& message, std::vector<std::exception_ptr> errors);

  std::string message_;
  std::vector<std::exception_ptr> errors_;
};

struct exception_group::parts {
  exception_group matching;
  exception_group rest;
};

namespace internal {
template <class E>
bool holds(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}
}  // namespace internal

template <class E>
exception_group::parts exception_group::split() const {
  return split(callable<bool(const std::exception_ptr&)>(&internal::holds<E>));
}

template <class E>
exception_group exception_group::subgroup() const {
  return split<E>().matching;
}

}  // namespace troupe
