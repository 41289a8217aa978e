#include <troupe/runtime/testing/virtual_time.hpp>

#include <algorithm>

namespace troupe::testing {

namespace {
std::string line_of(const failure_report& report) {
  return report.error ? report.message + ": " + describe(report.error) : report.message;
}
}  // namespace

void failure_log::add(const failure_report& report) { reports_.push_back(report); }

failure_handler failure_log::handler() {
  return [this](const failure_report& report) { add(report); };
}

std::size_t failure_log::count(std::string_view text) const {
  return static_cast<std::size_t>(std::count_if(
      reports_.begin(), reports_.end(),
      [&](const failure_report& each) { return line_of(each).find(text) != std::string::npos; }));
}

std::string failure_log::text() const {
  std::string all;
  for (const failure_report& each : reports_) all += line_of(each) + '\n';
  return all;
}

}  // namespace troupe::testing
