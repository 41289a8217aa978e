# cmake -D COMMAND="c++;-std=c++20;..." -D SOURCE=mistake.cpp -P compile_error.cmake
#
# Compiles a file that holds a mistake and reads what the compiler says about it. The file tells what has to be there:
#     // expect: TEXT     one line of the output holds both "error:" and TEXT
#     // errors: N        there are at most N lines with "error:"
# A line `// expect(gcc): TEXT` or `// expect(clang): TEXT` is for that compiler only.
cmake_minimum_required(VERSION 3.25)

set(ENV{LC_ALL} C)  # plain quotes, English
execute_process(COMMAND ${COMMAND} -fsyntax-only -fdiagnostics-color=never ${SOURCE}
  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, but holds a mistake that has to be found")
endif()

# Lists would trip over brackets and semicolons in the messages, so both files are walked line by line.
macro(next_line text line)
  string(FIND "${${text}}" "\n" end)
  if(end EQUAL -1)
    set(${line} "${${text}}")
    set(${text} "")
  else()
    string(SUBSTRING "${${text}}" 0 ${end} ${line})
    math(EXPR end "${end} + 1")
    string(SUBSTRING "${${text}}" ${end} -1 ${text})
  endif()
endmacro()

# The error lines, without file and position, and without the lines of source that compilers show (they have a bar).
set(errors "")
set(count 0)
set(rest "${output}")
while(NOT rest STREQUAL "")
  next_line(rest line)
  if(line MATCHES "^[^|]*[0-9]: (fatal )?error: (.*)$")
    string(APPEND errors "error: ${CMAKE_MATCH_2}\n")
    math(EXPR count "${count} + 1")
  endif()
endwhile()

set(complaints "")
set(expectations 0)
file(READ ${SOURCE} rest)
while(NOT rest STREQUAL "")
  next_line(rest line)
  if(line MATCHES "^// expect(\\((gcc|clang)\\))?: *(.*[^ ]) *$")
    math(EXPR expectations "${expectations} + 1")
    set(only "${CMAKE_MATCH_2}")
    set(text "${CMAKE_MATCH_3}")
    if(only STREQUAL "" OR only STREQUAL COMPILER)
      string(FIND "${errors}" "${text}" at)
      if(at EQUAL -1)
        string(APPEND complaints "  no error says: ${text}\n")
      endif()
    endif()
  elseif(line MATCHES "^// errors: *([0-9]+) *$" AND count GREATER CMAKE_MATCH_1)
    string(APPEND complaints "  ${count} errors instead of ${CMAKE_MATCH_1}\n")
  endif()
endwhile()
if(expectations EQUAL 0)
  string(APPEND complaints "  the file has no line `// expect: TEXT`\n")
endif()

if(NOT complaints STREQUAL "")
  message("${SOURCE}:\n${complaints}\nThe compiler said:\n${output}")
  message(FATAL_ERROR "not the message that was wanted")
endif()
message("${errors}")
