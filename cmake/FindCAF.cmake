# Finds the C++ Actor Framework (Debian's package has no CMake config).
# Defines the targets CAF::core and CAF::io, and CAF::openssl when that library is there.
# Give -DCAF_ROOT=<prefix> when CAF is not in a standard place.

find_path(CAF_INCLUDE_DIR caf/config.hpp)
find_library(CAF_CORE_LIBRARY caf_core)
find_library(CAF_IO_LIBRARY caf_io)
find_library(CAF_OPENSSL_LIBRARY caf_openssl)
mark_as_advanced(CAF_INCLUDE_DIR CAF_CORE_LIBRARY CAF_IO_LIBRARY CAF_OPENSSL_LIBRARY)

# caf/config.hpp says e.g. `#define CAF_VERSION 1706`: major * 10000 + minor * 100 + patch.
if(CAF_INCLUDE_DIR)
  file(STRINGS ${CAF_INCLUDE_DIR}/caf/config.hpp CAF_version_line REGEX "^#define CAF_VERSION [0-9]+")
  if(CAF_version_line MATCHES "CAF_VERSION ([0-9]+)")
    math(EXPR CAF_version_major "${CMAKE_MATCH_1} / 10000")
    math(EXPR CAF_version_minor "${CMAKE_MATCH_1} / 100 % 100")
    math(EXPR CAF_version_patch "${CMAKE_MATCH_1} % 100")
    set(CAF_VERSION ${CAF_version_major}.${CAF_version_minor}.${CAF_version_patch})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF
  REQUIRED_VARS CAF_CORE_LIBRARY CAF_IO_LIBRARY CAF_INCLUDE_DIR
  VERSION_VAR CAF_VERSION
  HANDLE_VERSION_RANGE
  REASON_FAILURE_MESSAGE
    "Install CAF 0.17 (Debian 12: apt install libcaf-dev), give -DCAF_ROOT=<prefix>, or build without it: -DTROUPE_CAF=OFF.")

if(CAF_FOUND AND NOT TARGET CAF::core)
  find_package(Threads REQUIRED)
  add_library(CAF::core UNKNOWN IMPORTED)
  set_target_properties(CAF::core PROPERTIES
    IMPORTED_LOCATION ${CAF_CORE_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES Threads::Threads)
  add_library(CAF::io UNKNOWN IMPORTED)
  set_target_properties(CAF::io PROPERTIES
    IMPORTED_LOCATION ${CAF_IO_LIBRARY}
    INTERFACE_LINK_LIBRARIES CAF::core)
  if(CAF_OPENSSL_LIBRARY)
    add_library(CAF::openssl UNKNOWN IMPORTED)
    set_target_properties(CAF::openssl PROPERTIES
      IMPORTED_LOCATION ${CAF_OPENSSL_LIBRARY}
      INTERFACE_LINK_LIBRARIES CAF::io)
  endif()
endif()
