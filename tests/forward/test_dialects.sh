#!/bin/bash
# test_dialects.sh [all]: real programs in the other dialects, at several orders. By day only those
# that are quick; with `all` each test of this folder, in PV Calls 1 at orders 1, 4 and 9.
set -euo pipefail
here=$(dirname "$0")

# tried TEST DIALECT ORDER
tried()
{
    local code=0
    FORWARD_OPTIONS="--dialect $2 --order $3" "$here/$1" >"$log" 2>&1 || code=$?
    [ "$code" = 0 ] || [ "$code" = 77 ] || {
        echo "FAIL: $1 in $2 at order $3"
        cat "$log"
        exit 1
    }
    [ "$code" = 0 ] || skipped="$skipped $1"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
skipped=
if [ "${1-}" = all ]; then
    for test in "$here"/test_*.sh; do
        # the one about options has testbeds of its own, with devices of draft 1
        [[ $test != */test_dialects.sh && $test != */test_command_line.sh ]] || continue
        for order in 1 4 9; do
            tried "${test##*/}" pvcalls1 "$order"
        done
    done
else
    tried test_git.sh pvcalls1 1
    tried test_redis.sh pvcalls1 4
    tried test_git.sh pvcalls1 9
    tried test_git.sh xensock1-compact 6
fi
[ -z "$skipped" ] || { echo "skipped:$skipped"; exit 77; }
