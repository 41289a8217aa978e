#include <troupe/io/endpoint.hpp>
#include <troupe/io/unix_endpoint.hpp>

#include <sys/un.h>

namespace troupe::io {

unix_endpoint::unix_endpoint(std::string_view name) : name_(name) {
  constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  if (name.empty() || name == "@")
    throw bad_address("a Unix socket needs a path, or a name after '@'");
  if (name.find('\0') != std::string_view::npos)
    throw bad_address("the name of a Unix socket with a zero byte in it is none");
  if (name.size() > longest)
    throw bad_address("'" + name_ + "' has " + std::to_string(name.size()) +
                      " bytes: the name of a Unix socket takes " + std::to_string(longest));
}

}  // namespace troupe::io
