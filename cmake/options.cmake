# Every switch of the build, and the flags that our own targets (never a user's) are compiled with.

find_package(CAF 0.17...<0.18 QUIET)
option(TROUPE_CAF "Build CAF actors on troupe's loops (actors/caf), which need CAF 0.17; on where that is found" ${CAF_FOUND})
find_package(OpenSSL 3 QUIET COMPONENTS SSL Crypto)
option(TROUPE_TLS "Build TLS (io/tls), which needs OpenSSL 3; on where that is found" ${OpenSSL_FOUND})
option(TROUPE_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(TROUPE_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(TROUPE_CHECKS "Check the house rules (includes, headers, words) while building" ${PROJECT_IS_TOP_LEVEL})
option(TROUPE_INSTALL "Offer installation rules" ${PROJECT_IS_TOP_LEVEL})
option(TROUPE_WERROR "Treat warnings in troupe's own code as errors" ${PROJECT_IS_TOP_LEVEL})
option(TROUPE_BENCH "Build the benchmarks" OFF)
set(TROUPE_SANITIZE "" CACHE STRING "Sanitizers to build with: address;undefined or thread")

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
  endif()
  # All our figures are -O2 figures; CMake's own default would be -O3. A value given by hand stays.
  if(CMAKE_CXX_FLAGS_RELEASE STREQUAL "-O3 -DNDEBUG")
    set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

# A sanitizer has to see every file that ends up in a program, so these are the only flags set for a whole directory.
if(TROUPE_SANITIZE)
  list(JOIN TROUPE_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
  # The linker turns g++'s load of a thread-local address into a `lea`, which leaves the flags alone that the null check behind
  # it tests: it then finds null pointers where there are none.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND "undefined" IN_LIST TROUPE_SANITIZE)
    add_compile_options(-fno-sanitize=null)
  endif()
endif()

# Compiles `target` as our own code: C++20 without extensions, warnings are errors, file names relative to the
# repository in whatever the program prints.
function(troupe_compile_as_ours target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set(relaxed "")
  if(TROUPE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code confuses this one (inside std::regex, for instance); the plain builds keep it.
    set(relaxed -Wno-maybe-uninitialized)
  endif()
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow ${relaxed}
    $<$<BOOL:${TROUPE_WERROR}>:-Werror>
    -fmacro-prefix-map=${PROJECT_BINARY_DIR}/include/=
    -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
endfunction()
