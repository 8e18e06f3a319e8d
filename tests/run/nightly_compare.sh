#!/bin/bash
# nightly_compare.sh [RUNS [ROUNDS]]: whether verdicts on real time hold up here, for
# `tools/check --nightly`: it takes minutes. ROUNDS (20) comparisons of a program with itself, RUNS
# (12) runs a side: at most one in twenty may say that something is better or worse. Then a planted
# slowdown (tests/plants/build.sh: each turn that notifies burns CPU time) must be found worse each
# time, and what lacks it better. Prints the figures for tests/nightly.md.
# With the command in $XENSOCK, or build/release's. It is no test by name: CTest never runs it.
# shellcheck disable=SC1091,SC2154
: "${SOURCE:=$(cd "$(dirname "$0")/../.." && pwd)}" "${XENSOCK:=$SOURCE/build/release/xensock}"
export XENSOCK SOURCE
. "$SOURCE/tests/run/common.sh"
runs=${1-12} rounds=${2-20} found=5

mkdir planted
env -u XDG_RUNTIME_DIR "$SOURCE/tests/plants/build.sh" "$(dirname "$XENSOCK")" xensock xensock \
    sim/run/exec_actions.c \
    '/^void exec_flush/,/^}/s/^    exec->mark_count = 0;$/for (volatile int i = 0; exec->mark_count > 0 \&\& i < 30000; i++) continue; &/' \
    planted/xensock >build.log 2>&1 || fail "the slowdown does not build"

# compare CODES OUT ARGUMENT...: ends with one of them; what it said is in OUT.log.
compare()
{
    local codes=$1 out=$2 code=0
    shift 2
    timeout 300 "$XENSOCK" compare --quiet --runs "$runs" --out "$out" --set duration=100ms \
        --set warmup=50ms "$@" "$SOURCE/scenarios/quickstart.yaml" >"$out.log" 2>"$out.err" || code=$?
    [[ " $codes " == *" $code "* ]] || fail "exit code $code: $(cat "$out.log" "$out.err")"
    tail -n 1 "$out.log"
}

silent=0
for ((i = 0; i < rounds; i++)); do
    said=$(compare '0 4' "same$i")
    echo "A with A: $said"
    case $said in
    worse*|better*) cat "same$i.log" ;;
    *) silent=$((silent + 1)) ;;
    esac
    rm -r "same$i"
done
echo "A with A: silent in $silent of $rounds"
[ $((20 * silent)) -ge $((19 * rounds)) ] || fail "too loud"

for ((i = 0; i < found; i++)); do
    said=$(compare 4 "slow$i" --command-b planted/xensock)
    echo "A with a slower B: $said"
    grep '^throughput.ask ' "slow$i.log" || fail "$(cat "slow$i.log")"
    rm -r "slow$i"
done
said=$(compare 0 fast --command-a planted/xensock)
echo "a slower A with B: $said"
[[ $said == better* ]] || fail "$(cat fast.log)"
nothing_left
