#pragma once

#include <troupe/runtime/testing/recorded_calls.hpp>

#include <string>
#include <vector>

namespace troupe::testing::internal {

/// A call in words, with its answer, or dots in the place of one.
std::string labelled(const recorded_call& call, bool answered);

/// The calls around `wrong` as a chart: a row for each, of one client after the other, and a bar from its call to its answer, with its place in
/// `order`. What is answered after `wrong` is open to the right.
///
///     a  put{1}    |----1----|
///        get = 0                 |-!-|
///     b  put{2} ...     |------2------->
std::string interval_chart(const std::vector<const recorded_call*>& all,
                           const std::vector<const recorded_call*>& order,
                           const recorded_call& wrong);

}  // namespace troupe::testing::internal
