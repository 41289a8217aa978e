#!/bin/sh
# usage: words.sh SOURCE_DIR
#
# House rules that a search can decide. Prints each offending line and ends with status 1 if there is one. Lengths are
# aims, not rules: a file that is longer gets a note and nothing else.
# shellcheck disable=SC2046,SC2086  # lists of file names are meant to be split; ours have no spaces
set -u
cd "$1" || exit 2
failed=0

# forbid WHY REGEX FILE...
forbid() {
  why=$1 regex=$2
  shift 2
  [ $# -gt 0 ] || return 0
  if found=$(grep -nE "$regex" /dev/null "$@"); then
    printf '%s\n' "$found" | sed "s|\$|   <- $why|"
    failed=1
  fi
}

files() { find "$@" -type f 2>/dev/null | sort; }
headers=$(files runtime actors io -name '*.hpp')
sources=$(files runtime actors io -name '*.cpp')

forbid 'only tests/scenarios may use real time' \
  '\<(usleep|nanosleep|sleep_for)\>|this_thread::sleep' \
  $(files tests -name '*.[ch]pp' | grep -vE '^tests/scenarios/|/real_time\.cpp$')
# Test cases of Catch2 are macros, so are ours: who includes that header wants them.
forbid 'no macros in public headers' '^[[:space:]]*#[[:space:]]*define' \
  $(printf '%s\n' "$headers" | grep -vE '/internal/|/testing/catch2\.hpp$|^$')
forbid 'nothing of ours sleeps on a thread' '\<(usleep|nanosleep|sleep_for)\>|this_thread::sleep' $headers \
  $(printf '%s\n' "$sources" | grep -v '/testing/real_time\.cpp$')  # which finds out who does

for header in $headers; do
  grep -q '^#pragma once$' "$header" || { echo "$header:1: lacks #pragma once"; failed=1; }
done

# aim LINES FILE...
aim() {
  lines=$1
  shift
  for file in "$@"; do
    length=$(wc -l <"$file")
    [ "$length" -le "$lines" ] || echo "note: $file has $length lines; aim at $lines"
  done
}
aim 250 $headers
aim 400 $sources
aim 120 $(files examples -name '*.cpp')

exit $failed
