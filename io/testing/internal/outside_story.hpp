#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::testing::internal {

/// What a run that is shown has seen of what is outside of its loops: what arrived over the network, which programs were started and how
/// they ended, and what went wrong. There is one for the network and the programs that are made next on this thread, as long as such a
/// run is made.
class outside_story final : public witness {
 public:
  outside_story() noexcept;
  ~outside_story() override;
  outside_story(const outside_story&) = delete;
  outside_story& operator=(const outside_story&) = delete;
  static outside_story* current() noexcept;

  void opened(loop&) override {}
  std::string story() override { return text_; }

  void note(time_point when, std::string_view what, std::string_view content = {});
  void note(time_point when, const io::endpoint& from, const io::endpoint& to,
            std::string_view what, std::string_view content = {});

 private:
  static constexpr std::size_t most_lines = 300;

  std::string text_;
  std::size_t lines_ = 0;
};

}  // namespace troupe::testing::internal
