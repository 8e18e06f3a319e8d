#!/bin/bash
# test_scenario_dialects.sh [all]: every scenario that names no dialects for a reason of its own gives
# in each other dialect what it gives in draft 1 (scenario_answers.py), in virtual time, and three of
# them as processes. By day those that last for a time last less, and only PV Calls 1 has processes;
# with `all` all is as it stands, and draft 1 itself is held to its golden results in the same way.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
export SOURCE XENSOCK

dialects=(pvcalls1 xensock1-compact)
processes=(pvcalls1)
all=${1-}
if [ "$all" = all ]; then
    dialects+=(xensock1)
    processes=("${dialects[@]}")
fi

# with NAME DIALECT: what is set beside the dialect. Others than draft 1 are through before the first restart
# unless there is more to carry.
with()
{
    [[ $1 != restart || $2 = xensock1 ]] || echo topology.peers.caller.bytes=24MiB
    [ -z "$all" ] || return 0
    case $1 in
    many-guests) printf '%s\n' topology.hosts.web.count=100 warmup=500ms duration=500ms ;;
    quickstart | small-writes | ring-order-small | open-loop | several-backends)
        printf '%s\n' warmup=20ms duration=100ms ;;
    noisy-guest) echo duration=50ms ;;
    esac
}

# run_one MODE DIALECT NAME SET...: the result is in MODE.DIALECT.NAME.
run_one()
{
    local at=$1.$2.$3 code=0 sets=() one
    for one in mode="$1" protocol.dialect="$2" "${@:4}"; do
        sets+=(--set "$one")
    done
    mkdir "$at"
    timeout 100 "$XENSOCK" run --out "$at" "${sets[@]}" "$SOURCE/scenarios/$3.yaml" \
        >"$at/said" 2>&1 </dev/null || code=$?
    [ "$code" = 0 ] || { echo "$at, exit code $code: $(cat "$at/said")" && return 1; }
}
export -f run_one

names=() reasons=()
for file in "$SOURCE"/scenarios/*.yaml; do
    name=$(basename "$file" .yaml)
    if grep -q -e 'dialect: pvcalls1' -e 'path: protocol.dialect' "$file"; then
        reasons+=("$name")
    else
        names+=("$name")
    fi
done
[ "${reasons[*]}" = "annotated dialects ring-sizes" ] || fail "these are left out: ${reasons[*]}"

for dialect in "${dialects[@]}"; do
    for name in "${names[@]}"; do
        echo "virtual $dialect $name $(with "$name" "$dialect" | paste -sd ' ')"
    done
done >rows
# shellcheck disable=SC2016
xargs -d '\n' -n 1 -P 2 bash -c 'run_one $1 || exit 1' bash <rows || fail "not all can run"

# Streams and requests; listeners of both address families; deaths.
for dialect in "${processes[@]}"; do
    for name in quickstart serve restart; do
        # shellcheck disable=SC2046
        run_one emulated "$dialect" $name $(with $name "$dialect") || fail "not all can run as processes"
    done
done
results=(virtual.* emulated.*)
[ ${#results[@]} = $((${#dialects[@]} * ${#names[@]} + 3 * ${#processes[@]})) ] || fail "not all have run"
python3 "$SOURCE/tests/run/scenario_answers.py" "$SOURCE/tests/golden" "${results[@]}" >answers ||
    fail "$(grep -v 'as in draft 1' answers)"
nothing_left
