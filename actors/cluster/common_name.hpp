#pragma once

#include <string>
#include <string_view>

namespace troupe::cluster::internal {

/// The name of a type as every compiler is to write it: g++ and clang differ in unnamed namespaces, in the names of numbers, in spaces, in what they say of
/// arguments that are left out, and in the library's own namespaces. (Not for classes inside of functions, whose function only g++ names.)
std::string common_name(std::string_view name);

}  // namespace troupe::cluster::internal
