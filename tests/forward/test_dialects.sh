#!/bin/bash
# test_dialects.sh [all]: real programs in the other dialects. By day each of them once in PV Calls 1,
# at one of the orders 1, 4 and 9, and carrying less than the same test does in draft 1; with `all`
# each of them at each of these orders, and in xensock1-compact, with all it carries.
set -euo pipefail
here=$(dirname "$0")
everywhere=("pvcalls1 1" "pvcalls1 4" "pvcalls1 9" "xensock1-compact 6")

# Each order has streams, many connections, and ends of connections that a program sees: 1, two pages,
# is the smallest there is, 4 is Linux's, and at 9 a guest has room for 63.
daily=(
    "iperf3 pvcalls1 1" "git pvcalls1 1" "ends pvcalls1 1"
    "redis pvcalls1 4" "many pvcalls1 4" "socks pvcalls1 4" "deaths pvcalls1 4"
    "http pvcalls1 9" "ssh pvcalls1 9" "rules pvcalls1 9" "bind pvcalls1 9"
    "git xensock1-compact 6"
)

# Those of this folder but for this one, and the one about options, which has testbeds of its own,
# with devices of draft 1.
programs()
{
    local test
    for test in "$here"/test_*.sh; do
        test=${test##*/test_}
        case $test in dialects.sh | command_line.sh) ;; *) echo "${test%.sh}" ;; esac
    done
}

# tried PROGRAM DIALECT ORDER
tried()
{
    local code=0 began=${EPOCHREALTIME/./}
    FORWARD_DIALECT=$2 FORWARD_ORDER=$3 "$here/test_$1.sh" >"$log" 2>&1 || code=$?
    [ "$code" = 0 ] || [ "$code" = 77 ] || {
        echo "FAIL: $1 in $2 at order $3"
        cat "$log"
        exit 1
    }
    printf '%-8s %-17s %s %6d ms\n' "$@" $(((${EPOCHREALTIME/./} - began) / 1000))
    [ "$code" = 0 ] || skipped="$skipped $1"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
skipped=
if [ "${1-}" = all ]; then
    rows=()
    for program in $(programs); do
        for row in "${everywhere[@]}"; do
            rows+=("$program $row")
        done
    done
else
    export FORWARD_BRIEF=1
    rows=("${daily[@]}")
    left_out=$(comm -3 <(programs | sort) <(printf '%s\n' "${daily[@]}" | cut -d ' ' -f 1 | sort -u))
    [ -z "$left_out" ] || { echo "FAIL: by day not tried, or no program: $left_out"; exit 1; }
fi
for row in "${rows[@]}"; do
    # shellcheck disable=SC2086
    tried $row
done
[ -z "$skipped" ] || { echo "skipped:$skipped"; exit 77; }
