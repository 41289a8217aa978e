#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::testing::internal {

/// What a run that is shown has seen of its network: what arrived, and what went wrong. There is one for the next network that is made on
/// this thread, as long as such a run is made.
class network_story final : public witness {
 public:
  network_story() noexcept;
  ~network_story() override;
  network_story(const network_story&) = delete;
  network_story& operator=(const network_story&) = delete;
  static network_story* current() noexcept;

  void opened(loop&) override {}
  std::string story() override { return text_; }

  void note(time_point when, std::string_view what);
  void note(time_point when, const io::endpoint& from, const io::endpoint& to,
            std::string_view what, std::string_view content = {});

 private:
  static constexpr std::size_t most_lines = 300;

  std::string text_;
  std::size_t lines_ = 0;
};

}  // namespace troupe::testing::internal
