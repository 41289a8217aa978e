#include "support.hpp"

#include <filesystem>

namespace troupe::testing::networks {

bool finds(const explore_options& options, std::string_view what,
           const std::function<coro<>(simulation&)>& scenario, std::string_view shown) {
  try {
    explore(options, scenario);
    return false;
  } catch (const schedule_failed& found) {
    if (!found.about().file.empty()) std::filesystem::remove(found.about().file);
    INFO(found.what());
    CHECK(found.about().reason.find(what) != std::string::npos);
    CHECK(found.about().story.find(shown) != std::string::npos);
    return true;
  }
}

}  // namespace troupe::testing::networks
