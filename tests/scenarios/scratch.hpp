// A folder for a test to write into.
#pragma once

#include "support/catch.hpp"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::testing {

/// A folder that goes with it, and with all that is in it.
class scratch_folder {
 public:
  scratch_folder()
      : path_((std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string()) {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Writes a file and gives its whole name.
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }
  std::string read(std::string_view name) const {
    std::ifstream from(file(name));
    return {std::istreambuf_iterator<char>(from), {}};
  }

 private:
  std::string path_;
};

}  // namespace troupe::testing
