#!/bin/bash
# Every fast mutant of `table` is killed by the unit tests or the explorer. Before that, `kill` must
# fail where it has to: on a mutant nobody can notice, and on rows that are no mutants.
set -euo pipefail
: "${XENSOCK:?names the command under test}" "${SOURCE:?names the source tree}"
build=$(dirname "$XENSOCK")
{ [ -e "$build/build.ninja" ] && command -v ninja >/dev/null; } || { echo "skipped: no ninja"; exit 77; }
here=$SOURCE/tests/mutants
out=$(mktemp)
trap 'rm -f "$out"' EXIT

status=0
"$here/kill" "$build" --layers unit --table "$here/bad_rows" >"$out" || status=$?
says()
{
    grep -Eq "$1" "$out" || { cat "$out"; echo "kill does not say: $1"; exit 1; }
}
says '^equivalent +SURVIVES'
says '^changes_nothing +BAD: .*it changes nothing'
says '^does_not_compile +BAD: .*error: .*undeclared'
says '^killed +unit +ringlib/test_cmdring '
says '^1 of 4 killed, 1 survive, 2 bad$'
[ "$status" = 1 ] || { echo "kill exits with $status where mutants survive"; exit 1; }

"$here/kill" "$build" --fast
