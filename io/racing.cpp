#include <troupe/io/internal/racing.hpp>

#include <system_error>

namespace troupe::io::internal {

std::vector<endpoint> families_in_turn(const std::vector<endpoint>& all) {
  std::vector<endpoint> first;
  std::vector<endpoint> other;
  for (const endpoint& each : all)
    (each.is_ipv6() == all.front().is_ipv6() ? first : other).push_back(each);
  std::vector<endpoint> turns;
  turns.reserve(all.size());
  for (std::size_t index = 0; index < first.size() || index < other.size(); ++index) {
    if (index < first.size()) turns.push_back(first[index]);
    if (index < other.size()) turns.push_back(other[index]);
  }
  return turns;
}

void throw_all_failed(const std::string& what, const std::vector<endpoint>& candidates,
                      const std::vector<std::exception_ptr>& errors) {
  if (errors.size() == 1 && errors.front() != nullptr) std::rethrow_exception(errors.front());
  std::error_code first;
  std::string all;
  for (std::size_t index = 0; index < errors.size(); ++index) {
    if (errors[index] == nullptr) continue;  // somebody has cancelled it
    try {
      std::rethrow_exception(errors[index]);
    } catch (const std::system_error& error) {
      if (!first) first = error.code();
      all += (all.empty() ? "" : "; ") + candidates[index].text() + ": " + error.code().message();
    }  // anything else is worse than a peer that cannot be reached, and goes on
  }
  if (!first) first = std::make_error_code(std::errc::operation_canceled);
  throw std::system_error(first, what + " by each of its addresses (" + all + ")");
}

}  // namespace troupe::io::internal
