# cmake -D PROGRAM=test-runtime -D LIST_FILE=out.cmake -P list_tests.cmake
# Asks a Catch2 program for its test cases and writes `troupe_test([==[name]==] [==[filter]==] option...)` for each.

# Catch2 2 answers with the number of tests as exit status, so the status alone does not tell a failure.
execute_process(COMMAND ${PROGRAM} --list-test-names-only OUTPUT_VARIABLE output ERROR_VARIABLE error RESULT_VARIABLE status)
set(options " -w NoTests")  # a filter that matches nothing is a failure; in Catch2 3 it always is
if(error MATCHES "nrecogni[sz]ed token")  # Catch2 3, which spells the question differently
  set(options "")
  execute_process(COMMAND ${PROGRAM} --list-tests --verbosity quiet
    OUTPUT_VARIABLE output ERROR_VARIABLE error RESULT_VARIABLE status)
endif()
if(NOT status MATCHES "^[0-9]+$" OR (NOT status EQUAL 0 AND output STREQUAL ""))
  message(FATAL_ERROR "${PROGRAM} cannot list its tests (status ${status}):\n${error}${output}")
endif()

# Line by line by hand: CMake's lists would trip over brackets and semicolons.
set(calls "")
while(NOT output STREQUAL "")
  string(FIND "${output}" "\n" end)
  if(end EQUAL -1)
    set(name "${output}")
    set(output "")
  else()
    string(SUBSTRING "${output}" 0 ${end} name)
    math(EXPR end "${end} + 1")
    string(SUBSTRING "${output}" ${end} -1 output)
  endif()
  if(NOT name STREQUAL "")
    string(REGEX REPLACE "([],[\\\"*~])" "\\\\\\1" filter "${name}")  # characters with a meaning in a filter
    string(APPEND calls "troupe_test([==[${name}]==] [==[${filter}]==]${options})\n")
  endif()
endwhile()
file(WRITE ${LIST_FILE} "${calls}")
