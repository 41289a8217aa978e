#include <troupe/actors/testing/probe.hpp>

namespace troupe::testing::internal {

bool probe_state::came(std::string_view type, manner how) {
  last_.push_back(std::string(type));
  if (last_.size() > most_kept) last_.pop_front();
  if (how == manner::wanted) return true;
  if (how == manner::forbidden && fault_ == nullptr) {
    fault_ = std::make_exception_ptr(
        expectation_failed("a forbidden message came: " + std::string(type) + history()));
    changed.set();
  }
  return false;
}

std::string probe_state::history() const {
  if (last_.empty()) return "; no message has come so far";
  std::string text = "; the last messages were:";
  for (const std::string& each : last_) text += "\n  " + each;
  return text;
}

void probe_state::fail(const std::string& expected) const {
  throw expectation_failed("expected " + expected + ", and nothing came in time" + history());
}

void probe_state::fail_with(const std::string& expected, std::string_view instead) const {
  throw expectation_failed("expected " + expected + ", and there was " + std::string(instead) +
                           history());
}

}  // namespace troupe::testing::internal
