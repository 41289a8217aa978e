#pragma once

#include <string>
#include <string_view>

namespace troupe::cluster::internal {

/// The name of a type as every compiler is to write it: they differ in unnamed namespaces, in names of numbers, in spaces, and in the inner namespaces of the
/// standard library. Messages are known by their names, so it matters for those that are templates.
std::string spelled_alike(std::string_view name);

}  // namespace troupe::cluster::internal
