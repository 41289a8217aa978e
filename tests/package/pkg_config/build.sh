#!/bin/sh
# usage: build.sh COMPILER SOURCE PROGRAM PACKAGE
# How a project without a build system compiles against troupe.
set -eu
pkg-config --exists --print-errors "$4"
# shellcheck disable=SC2046  # the flags are meant to be split
"$1" -std=c++20 $(pkg-config --cflags "$4") "$2" -o "$3" $(pkg-config --libs "$4")
