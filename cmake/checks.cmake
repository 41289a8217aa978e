# House rules, checked while building (whenever a file changed) and as tests named "check.<rule>".

file(GLOB_RECURSE troupe_checked_files CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/runtime/*.[ch]pp ${PROJECT_SOURCE_DIR}/actors/*.[ch]pp ${PROJECT_SOURCE_DIR}/io/*.[ch]pp
  ${PROJECT_SOURCE_DIR}/examples/*.[ch]pp ${PROJECT_SOURCE_DIR}/tests/*.[ch]pp
  ${PROJECT_SOURCE_DIR}/docs/*.md ${PROJECT_SOURCE_DIR}/README*.md)

foreach(rule IN ITEMS includes words snippets)
  set(script ${PROJECT_SOURCE_DIR}/cmake/checks/${rule}.sh)
  set(stamp ${PROJECT_BINARY_DIR}/checks/${rule}.stamp)
  add_custom_command(
    OUTPUT ${stamp}
    COMMAND sh ${script} ${PROJECT_SOURCE_DIR}
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${script} ${troupe_checked_files}
    COMMENT "Checking the ${rule}"
    VERBATIM)
  list(APPEND troupe_stamps ${stamp})
  if(TROUPE_TESTS)
    add_test(NAME check.${rule} COMMAND sh ${script} ${PROJECT_SOURCE_DIR})
    set_tests_properties(check.${rule} PROPERTIES LABELS check TIMEOUT 60)
  endif()
endforeach()
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/checks)
add_custom_target(check-rules ALL DEPENDS ${troupe_stamps})

# Every public header compiles alone, twice in a row, and brings neither asio nor CAF with it. Sanitizer builds would
# only say the same again.
if(NOT TROUPE_SANITIZE)
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/runtime/*.hpp ${PROJECT_SOURCE_DIR}/actors/*.hpp ${PROJECT_SOURCE_DIR}/io/*.hpp)
  list(FILTER headers EXCLUDE REGEX "/internal/|^actors/caf/|^runtime/asio(\\.hpp$|/)")
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "[/.]" "_" name ${header})
    set(HEADER troupe/${header})
    configure_file(${PROJECT_SOURCE_DIR}/cmake/checks/header.cpp.in ${PROJECT_BINARY_DIR}/checks/${name}.cpp @ONLY)
    list(APPEND troupe_header_checks ${PROJECT_BINARY_DIR}/checks/${name}.cpp)
  endforeach()
  if(troupe_header_checks)
    add_library(check-headers OBJECT ${troupe_header_checks})
    troupe_compile_as_ours(check-headers)
    target_compile_options(check-headers PRIVATE -O0)
    target_link_libraries(check-headers PRIVATE troupe::troupe troupe::testing)
  endif()

  # Those for programs that know CAF bring it, but compile alone as well.
  if(TARGET troupe_caf)
    file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/actors/caf/*.hpp)
    foreach(header IN LISTS headers)
      string(REGEX REPLACE "[/.]" "_" name ${header})
      set(HEADER troupe/${header})
      configure_file(${PROJECT_SOURCE_DIR}/cmake/checks/caf_header.cpp.in ${PROJECT_BINARY_DIR}/checks/${name}.cpp @ONLY)
      list(APPEND troupe_caf_header_checks ${PROJECT_BINARY_DIR}/checks/${name}.cpp)
    endforeach()
    add_library(check-caf-headers OBJECT ${troupe_caf_header_checks})
    troupe_compile_as_ours(check-caf-headers)
    target_compile_options(check-caf-headers PRIVATE -O0)
    target_link_libraries(check-caf-headers PRIVATE troupe::caf)
  endif()
endif()
