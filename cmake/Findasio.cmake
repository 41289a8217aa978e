# Finds stand-alone asio (header-only; Debian's package has no CMake config).
# Defines the target asio::asio. Give -Dasio_ROOT=<prefix> when it is not in a standard place.

find_path(asio_INCLUDE_DIR asio.hpp)
mark_as_advanced(asio_INCLUDE_DIR)

# asio/version.hpp says e.g. `#define ASIO_VERSION 102201 // 1.22.1`: major * 100000 + minor * 100 + patch.
if(asio_INCLUDE_DIR AND EXISTS ${asio_INCLUDE_DIR}/asio/version.hpp)
  file(STRINGS ${asio_INCLUDE_DIR}/asio/version.hpp asio_version_line REGEX "^#define ASIO_VERSION [0-9]+")
  if(asio_version_line MATCHES "ASIO_VERSION ([0-9]+)")
    math(EXPR asio_version_major "${CMAKE_MATCH_1} / 100000")
    math(EXPR asio_version_minor "${CMAKE_MATCH_1} / 100 % 1000")
    math(EXPR asio_version_patch "${CMAKE_MATCH_1} % 100")
    set(asio_VERSION ${asio_version_major}.${asio_version_minor}.${asio_version_patch})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(asio
  REQUIRED_VARS asio_INCLUDE_DIR
  VERSION_VAR asio_VERSION
  REASON_FAILURE_MESSAGE "Install asio's headers (Debian: apt install libasio-dev) or give -Dasio_ROOT=<prefix>.")

if(asio_FOUND AND NOT TARGET asio::asio)
  find_package(Threads REQUIRED)
  add_library(asio::asio INTERFACE IMPORTED)
  target_include_directories(asio::asio INTERFACE ${asio_INCLUDE_DIR})
  target_compile_definitions(asio::asio INTERFACE ASIO_STANDALONE)
  target_link_libraries(asio::asio INTERFACE Threads::Threads)
endif()
