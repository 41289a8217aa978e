# troupe_discover_tests(target PREFIX text PROPERTIES text)
#
# Registers every test case of a Catch2 program as a ctest of its own, each time the program has been built. PROPERTIES
# is the tail of a set_tests_properties() call, as text. Catch2's own helper is not used: it differs between Catch2 2
# and 3 and trips over some characters in names, and our names are sentences.
function(troupe_discover_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PREFIX;PROPERTIES" "")
  set(list_file ${CMAKE_CURRENT_BINARY_DIR}/${target}.tests.cmake)
  set(include_file ${CMAKE_CURRENT_BINARY_DIR}/${target}.include.cmake)
  add_custom_command(TARGET ${target} POST_BUILD
    BYPRODUCTS ${list_file}
    COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${target}> -D LIST_FILE=${list_file}
            -P ${PROJECT_SOURCE_DIR}/cmake/list_tests.cmake
    VERBATIM)
  # ctest reads this file; the list that it includes has a line `troupe_test(<name> <name as a filter> <option>...)` per test.
  file(GENERATE OUTPUT ${include_file} CONTENT "
function(troupe_test name filter)
  add_test(\"${arg_PREFIX}\${name}\" \"$<TARGET_FILE:${target}>\" \"\${filter}\" \${ARGN})
  set_tests_properties(\"${arg_PREFIX}\${name}\" PROPERTIES ${arg_PROPERTIES})
endfunction()
if(EXISTS \"${list_file}\")
  include(\"${list_file}\")
else()
  add_test(${target}-is-not-built ${target}-is-not-built)
endif()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include_file})
endfunction()
