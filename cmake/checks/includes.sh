#!/bin/sh
# usage: includes.sh SOURCE_DIR
#
# Who may include what. Lowest layer first: runtime <- actors <- io; a layer never looks up. asio and CAF stay where
# users' translation units never meet them. Prints each offending line and ends with status 1 if there is one.
# shellcheck disable=SC2046,SC2086  # lists of file names are meant to be split; ours have no spaces
set -u
cd "$1" || exit 2
failed=0

# forbid WHY REGEX FILE...: no line of these files may include what REGEX matches (after the opening < or ").
forbid() {
  why=$1 regex=$2
  shift 2
  [ $# -gt 0 ] || return 0
  if found=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*$regex" /dev/null "$@"); then
    printf '%s\n' "$found" | sed "s|\$|   <- $why|"
    failed=1
  fi
}

# sources FOLDER...: every C++ file below; a folder that does not exist (yet) has none.
sources() { find "$@" -name '*.[ch]pp' 2>/dev/null | sort; }

# public: the headers that users may include. testing/ is public too.
public() {
  sources runtime actors io | grep '\.hpp$' |
    grep -vE '/internal/|^actors/caf/|^runtime/asio(\.hpp$|/)'
}

# Layers.
forbid 'runtime/ is the lowest layer' '[<"]troupe/(actors/|io/|troupe\.hpp)' $(sources runtime)
forbid 'actors/ lies below io/' '[<"]troupe/(io/|troupe\.hpp)' $(sources actors | grep -v '^actors/cluster/')
forbid 'troupe.hpp is for users; name the header' '[<"]troupe/troupe\.hpp' $(sources io | grep -v '^io/testing/')
forbid 'actors/ lies below its folders caf and cluster, and io/ too' '[<"]troupe/actors/(caf|cluster)/' \
  $(sources actors io | grep -vE '^actors/(caf|cluster)/')
forbid 'actors/caf lies below actors/cluster' '[<"]troupe/actors/cluster/' $(sources actors/caf)
forbid 'only tests and test kits use the test kit' '[<"]troupe/(runtime|actors|io)/testing/' \
  $(sources runtime actors io examples | grep -vE '/testing/|^examples/test_')
forbid 'write <troupe/layer/file.hpp>' '"' $(sources runtime actors io)

# asio: in sources, internal/ and the opt-in runtime/asio.hpp. CAF: in its folder.
forbid 'public headers show no asio' '[<"](asio|boost/asio)[./]' $(public)
forbid 'CAF belongs in actors/caf' '[<"]caf/' $(sources runtime actors io | grep -v '^actors/caf/')

forbid 'OpenSSL belongs in io/tls, and not in its public headers' '[<"]openssl/' \
  $(sources runtime actors io examples | grep -vE '^io/tls/(internal/|[^/]*\.cpp$)')

# What every file of every user would pay for (docs/decisions/0006).
forbid 'costly to compile: see docs/decisions/0006' \
  '<(algorithm|functional|iostream|map|memory|mutex|ranges|sstream|thread|unordered_map)>' \
  $(public | grep -E '^(runtime|actors)/' | grep -vE '/testing/|^actors/cluster/')
forbid 'costly to compile: include <troupe/runtime/time.hpp>' '<chrono>' \
  $(public | grep -E '^(runtime|actors)/' | grep -vE '^runtime/time\.hpp$|^actors/cluster/')

# What is internal stays internal.
forbid 'internal headers are for sources' '[<"]troupe/.*/?internal/' $(public)
forbid 'internal headers are for sources' '[<"]troupe/.*/?internal/' \
  $(sources actors/caf | grep '\.hpp$' | grep -v '/internal/')
forbid 'examples use public headers only' '[<"](troupe/.*internal/|asio[./])' $(sources examples)
forbid 'only the examples caf_... show CAF' '[<"]caf/' $(sources examples | grep -v '^examples/caf_')

exit $failed
