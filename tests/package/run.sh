#!/bin/sh
# usage: run.sh SOURCE_DIR BUILD_DIR
#
# Builds and runs main.cpp the three ways a user of troupe can: against an installation with CMake, against the same one
# with pkg-config, and with troupe as a subdirectory of a CMake project. BUILD_DIR is a finished build.
# The environment may name CMAKE, CXX and CMAKE_GENERATOR.
set -eu
source=$1 build=$2
here=$source/tests/package
cmake=${CMAKE:-cmake} cxx=${CXX:-c++}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/moved

# step WHAT COMMAND...: one line if it works, everything it said if it does not.
step() {
  what=$1
  shift
  if "$@" >"$scratch/log" 2>&1; then
    echo "ok: $what"
  else
    cat "$scratch/log"
    echo "failed: $what"
    exit 1
  fi
}

refuse() {
  echo "failed: $1"
  exit 1
}

step "install" "$cmake" --install "$build" --prefix "$scratch/first"
mv "$scratch/first" "$prefix" # an installation may be moved, as packagers do

[ -z "$(find "$prefix" -name internal)" ] || refuse "internal headers are installed"
! grep -rIlF -e "$source" -e "$build" -e "$scratch/first" "$prefix" || refuse "these files name a folder of this machine"

tls=OFF
[ -z "$(find "$prefix" -name troupe-tls.pc)" ] || tls=ON
caf=OFF
[ -z "$(find "$prefix" -name troupe-caf-targets.cmake)" ] || caf=ON

step "cmake: configure" "$cmake" -S "$here/cmake_installed" -B "$scratch/cmake" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_PREFIX_PATH="$prefix" -DWITH_TLS=$tls -DWITH_CAF=$caf
step "cmake: build" "$cmake" --build "$scratch/cmake"
step "cmake: run" "$scratch/cmake/consumer"
[ $tls = OFF ] || step "cmake: run with TLS" "$scratch/cmake/tls_consumer"
[ $caf = OFF ] || step "cmake: run with CAF" "$scratch/cmake/caf_consumer"
step "cmake: who asks for no CAF links none" sh "$here/links_no_caf.sh" "$scratch/cmake/consumer"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name troupe.pc)")
export PKG_CONFIG_PATH
step "pkg-config: build" sh "$here/pkg_config/build.sh" "$cxx" "$here/main.cpp" "$scratch/pkg_config_consumer" troupe
step "pkg-config: run" env LD_LIBRARY_PATH="$(dirname "$PKG_CONFIG_PATH")" "$scratch/pkg_config_consumer"
if [ $tls = ON ]; then
  step "pkg-config: build with TLS" sh "$here/pkg_config/build.sh" "$cxx" "$here/tls.cpp" "$scratch/pkg_config_tls" troupe-tls
  step "pkg-config: run with TLS" env LD_LIBRARY_PATH="$(dirname "$PKG_CONFIG_PATH")" "$scratch/pkg_config_tls"
fi

# Shared libraries here, as the installation had static ones; without optimisation, as it is built from nothing.
step "subdirectory: configure" "$cmake" -S "$here/subdirectory" -B "$scratch/subdirectory" \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=ON -DTROUPE_SOURCE_DIR="$source"
step "subdirectory: build" "$cmake" --build "$scratch/subdirectory" --parallel 2
step "subdirectory: run" "$scratch/subdirectory/consumer"
