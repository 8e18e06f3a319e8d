#!/bin/bash
# test_golden.sh: each scenario in virtual time gives, to the last digit, the result that stands in
# NAME.json beside this script. What is different is printed with both values.
# test_golden.sh --accept [NAME...]: makes the present results the golden ones, of all scenarios or
# of these; `git diff` then shows what changed. With the command in $XENSOCK, or build/release's.
#
# A golden result is no promise: whoever changes what the model does or costs accepts the new ones,
# and says in the commit why they are different.
# shellcheck disable=SC1091,SC2154
: "${SOURCE:=$(cd "$(dirname "$0")/../.." && pwd)}" "${XENSOCK:=$SOURCE/build/release/xensock}"
golden=$SOURCE/tests/golden
. "$SOURCE/tests/run/common.sh"
export XENSOCK SOURCE golden

accept=
[ "${1-}" != --accept ] || { accept=yes; shift; }
names=("$@")
if [ "$#" = 0 ]; then
    mapfile -t names < <(cd "$SOURCE/scenarios" && printf '%s\n' *.yaml | sed 's/\.yaml$//')
    for file in "$golden"/*.json; do
        name=$(basename "$file" .json)
        [ -e "$file" ] || continue # no golden result at all
        [ ! -e "$SOURCE/scenarios/$name.yaml" ] || continue
        [ -z "$accept" ] || { rm "$file"; echo "removed $name.json"; continue; }
        fail "there is no scenario of $file (tests/golden/test_golden.sh --accept removes it)"
    done
fi

# run_one NAME: its result is in NAME/result.json, what it printed in NAME/log.
run_one()
{
    mkdir "$1"
    timeout 100 "$XENSOCK" run --set mode=virtual --out "$1" "$SOURCE/scenarios/$1.yaml" \
        >"$1/log" 2>&1 </dev/null || echo "exit code $?" >>"$1/log"
}
export -f run_one
printf '%s\0' "${names[@]}" | xargs -0 -n 1 -P 2 bash -c 'run_one "$@"' bash

different=()
for name in "${names[@]}"; do
    if ! grep -qx ok "$name/log" || ! "$golden/golden.py" of "$name/result.json" >"$name/new"; then
        cat "$name/log"
        fail "$name does not run in virtual time"
    elif [ -n "$accept" ]; then
        cmp -s "$name/new" "$golden/$name.json" || echo "accepted $name"
        cp "$name/new" "$golden/$name.json"
    elif [ ! -e "$golden/$name.json" ]; then
        echo "$name has no golden result"
        different+=("$name")
    elif ! "$golden/golden.py" diff "$golden/$name.json" "$name/result.json" >"$name/diff"; then
        echo "$name is not as it was:"
        cat "$name/diff"
        different+=("$name")
    fi
done
nothing_left
[ "${#different[@]}" = 0 ] || fail "if this is meant: tests/golden/test_golden.sh --accept" \
    "${different[@]}"

# Who tries what the README shows finds the same.
trace=$(sed -n 's/.*"trace": "\([0-9a-f]*\)".*/\1/p' "$golden/quickstart.json")
grep -qx "    trace $trace" "$SOURCE/README.md" || fail "README.md shows another trace than $trace"
