#include <troupe/runtime/exception_group.hpp>

#include <troupe/runtime/failure.hpp>

#include <algorithm>

namespace troupe {

namespace {

std::string text_of(const std::string& message, const std::vector<std::exception_ptr>& errors) {
  std::string text =
      message + " (" + std::to_string(errors.size()) + (errors.size() == 1 ? " error" : " errors");
  const char* before = ": ";
  for (const std::exception_ptr& each : errors) {
    text += before + describe(each);
    before = "; ";
  }
  return text + ")";
}

/// `error` as a group, or null.
const exception_group* group_in(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const exception_group& group) {
    return &group;  // `error` keeps it
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

exception_group::exception_group(const std::string& message, std::vector<std::exception_ptr> errors)
    : exception_group(unchecked(), message, std::move(errors)) {
  if (errors_.empty() || std::find(errors_.begin(), errors_.end(), nullptr) != errors_.end())
    throw std::invalid_argument("an exception_group is made of at least one error, and of no null");
}

exception_group::exception_group(unchecked, const std::string& message,
                                 std::vector<std::exception_ptr> errors)
    : std::runtime_error(text_of(message, errors)), message_(message), errors_(std::move(errors)) {}

exception_group::parts exception_group::split(
    const callable<bool(const std::exception_ptr&)>& wanted) const {
  std::vector<std::exception_ptr> matching;
  std::vector<std::exception_ptr> rest;
  for (const std::exception_ptr& each : errors_) {
    const exception_group* const inner = group_in(each);
    if (inner == nullptr) {
      (wanted(each) ? matching : rest).push_back(each);
      continue;
    }
    parts split_inner = inner->split(wanted);
    if (!split_inner.matching.empty())
      matching.push_back(std::make_exception_ptr(std::move(split_inner.matching)));
    if (!split_inner.rest.empty())
      rest.push_back(std::make_exception_ptr(std::move(split_inner.rest)));
  }
  return {exception_group(unchecked(), message_, std::move(matching)),
          exception_group(unchecked(), message_, std::move(rest))};
}

void exception_group::for_each(const callable<void(const std::exception_ptr&)>& visit) const {
  for (const std::exception_ptr& each : errors_) {
    if (const exception_group* const inner = group_in(each)) {
      inner->for_each(visit);
    } else {
      visit(each);
    }
  }
}

}  // namespace troupe
