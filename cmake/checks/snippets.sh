#!/bin/sh
# usage: snippets.sh SOURCE_DIR [--update]
#
# The code in README.md and docs/ is copied from examples that are compiled and run. A fenced block that follows the line
#     <!-- snippet: examples/hello.cpp#region -->
# must equal what stands between `// [region]` and `// [/region]` in that file (or the whole file, if no region is named).
# With --update, the blocks are rewritten instead.
set -u
cd "$1" || exit 2
update=no
[ "${2-}" = --update ] && update=yes
failed=0

# Prints FILE with every marked block replaced by what its example says today; complains on stderr, status 1.
refresh() {
  awk '
    function complain(message) { print FILENAME ":" FNR ": " message > "/dev/stderr"; failed = 1 }

    # The text of the region (or whole file), without the indentation that all of its lines share.
    function snippet(path, region,    line, inside, seen, count, lines, i, indent, smallest, text) {
      inside = (region == "")
      while ((status = (getline line < path)) > 0) {
        trimmed = line
        gsub(/^[ \t]+|[ \t]+$/, "", trimmed)
        if (region != "" && trimmed == "// [" region "]") { inside = 1; seen = 1; continue }
        if (region != "" && trimmed == "// [/" region "]") { inside = 0; continue }
        if (trimmed ~ /^\/\/ \[\/?[a-z0-9_-]+\]$/) continue  # the marks of other regions
        if (inside) lines[++count] = line
      }
      close(path)
      if (status < 0) complain("cannot read " path)
      else if (region != "" && !seen) complain(path " has no region " region)
      else if (inside && region != "") complain(path ": region " region " does not end")
      smallest = -1
      for (i = 1; i <= count; i++) {
        if (lines[i] ~ /^[ \t]*$/) continue
        match(lines[i], /^ */)
        if (smallest < 0 || RLENGTH < smallest) smallest = RLENGTH
      }
      for (i = 1; i <= count; i++) text = text substr(lines[i], smallest + 1) "\n"
      return text
    }

    /^<!-- snippet: .* -->$/ {
      print
      name = $0
      sub(/^<!-- snippet: */, "", name)
      sub(/ *-->$/, "", name)
      region = ""
      if ((at = index(name, "#")) > 0) { region = substr(name, at + 1); name = substr(name, 1, at - 1) }
      if ((getline) <= 0 || $0 !~ /^```/) { complain("a fenced block has to follow a snippet comment"); print; next }
      print
      printf "%s", snippet(name, region)
      while ((more = getline) > 0 && $0 !~ /^```/) {}
      if (more <= 0) complain("the fenced block does not end")
      print
      next
    }
    { print }
    END { exit failed }
  ' "$1"
}

temporary=$(mktemp) || exit 2
trap 'rm -f "$temporary"' EXIT
for page in README.md $(find docs -name '*.md' 2>/dev/null | sort); do
  grep -qs '^<!-- snippet: ' "$page" || continue
  refresh "$page" >"$temporary" || { failed=1; continue; }
  if ! difference=$(diff -u --label "$page" "$page" --label "$page, from the examples" "$temporary"); then
    if [ $update = yes ]; then
      cat "$temporary" >"$page"
      echo "$page: refreshed"
    else
      printf '%s\n' "$difference"
      echo "$page: code differs from the example it is copied from; ./dev format copies it again"
      failed=1
    fi
  fi
done
exit $failed
