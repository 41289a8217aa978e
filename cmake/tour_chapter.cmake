# cmake -D SOURCE=examples/hello.cpp -D OUTPUT=hello.cpp -P tour_chapter.cmake
#
# Writes a file that holds the example SOURCE in a namespace of its own and defines `int hello_main(int, char**)`, which
# calls the example's main. The example's includes come first, outside of that namespace.

cmake_path(GET SOURCE STEM name)
file(STRINGS ${SOURCE} includes REGEX "^[ \t]*#[ \t]*include")
list(JOIN includes "\n" includes)

file(WRITE ${OUTPUT}
"// Made from ${name}.cpp by cmake/tour_chapter.cmake.
${includes}

namespace ${name}_example {
#include \"${SOURCE}\"
}  // namespace ${name}_example

namespace {
[[maybe_unused]] int start(int (*entry)(), int, char**) { return entry(); }
[[maybe_unused]] int start(int (*entry)(int, char**), int argc, char** argv) { return entry(argc, argv); }
}  // namespace

int ${name}_main(int argc, char** argv);
int ${name}_main(int argc, char** argv) { return start(&${name}_example::main, argc, argv); }
")
