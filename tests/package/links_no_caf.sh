#!/bin/sh
# usage: links_no_caf.sh PROGRAM...
#
# Whether these programs need no library of CAF. Names those that do, and ends with status 1 then.
set -u
failed=0
for program in "$@"; do
  needed=$(ldd "$program") || exit 2
  if printf '%s\n' "$needed" | grep -i caf_; then
    echo "$program links CAF"
    failed=1
  fi
done
exit $failed
