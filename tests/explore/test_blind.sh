#!/bin/bash
# Two defects with which 100 MB still pass in one thread (test_ping_pong): which interleavings show
# them is why there is an explorer, which ../plants/table requires to find both.
set -euo pipefail
: "${XENSOCK:?names the command under test}" "${SOURCE:?names the source tree}"

build=$(dirname "$XENSOCK")
program=tests/explore/test_ping_pong
[ -x "$build/$program" ] || { echo "skipped: there is no $build/$program"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for name in long_explore_unmask_drops_what_was_pending long_explore_written_and_not_looked_again; do
    read -r _ file _ expression < <(grep "^$name " "$SOURCE/tests/plants/table")
    "$SOURCE/tests/plants/build.sh" "$build" explore_test_ping_pong "$program" "$file" \
        "$expression" "$work/$name"
    "$work/$name" >"$work/log" 2>&1 || { cat "$work/log"; echo "$name is noticed in one thread"; exit 1; }
    echo "$name: 100 MB pass in one thread"
done
