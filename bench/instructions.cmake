# bench-instructions and the test that keeps its figures under bench/instructions.ceiling. Included by the benchmarks and by
# the tests, whichever are built.
include_guard(GLOBAL)

add_executable(bench-instructions ${CMAKE_CURRENT_LIST_DIR}/instructions.cpp)
troupe_compile_as_ours(bench-instructions)
target_link_libraries(bench-instructions PRIVATE troupe::troupe)
set_target_properties(bench-instructions PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)

# The ceilings hold for the code that g++ 12 makes of a release build.
find_program(TROUPE_VALGRIND valgrind)
mark_as_advanced(TROUPE_VALGRIND)
if(TROUPE_TESTS AND TROUPE_VALGRIND AND NOT TROUPE_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release"
   AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\."
   AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  add_test(NAME instructions
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/instructions --build ${PROJECT_BINARY_DIR})
  set_tests_properties(instructions PROPERTIES LABELS bench TIMEOUT 120)
endif()
