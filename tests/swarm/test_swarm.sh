#!/bin/bash
# 10,000 seeds of the swarm break no rule. In a build with a planted defect they must (tests/plants):
# then this says by which seed the defect was found, and that the seed can be shown again and reduced.
set -euo pipefail
: "${XENSOCK:?names the command under test}" "${SOURCE:?names the source tree}"
[ -x "$XENSOCK" ] || { echo "skipped: there is no $XENSOCK"; exit 77; }
scenario=$SOURCE/scenarios/quickstart.yaml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

swarm()
{
    "$XENSOCK" swarm --jobs "$(nproc)" "$@" "$scenario"
}

status=0
swarm --seeds 0..9999 >"$work/out" 2>&1 || status=$?
cat "$work/out"
if [ "$status" = 0 ]; then
    grep -q '^10000 seeds, no violation' "$work/out"
    if grep -q 'nothing is interleaved' "$work/out"; then exit 3; fi
    exit 0
fi

# What it found is the same when shown again, and reduced it is still there.
[ "$status" = 5 ] || { echo "exit code $status for a violation"; exit 1; }
seed=$(sed -n 's/^seed \([0-9]*\): .*/\1/p' "$work/out")
what=$(sed -n 's/^seed [0-9]*: \(.*\) at virtual .*/\1/p' "$work/out")
again=$(swarm --seeds "$seed..$seed") && { echo "seed $seed passes when run alone"; exit 3; }
[ "$(grep -v 'reduce:' <<<"$again")" = "$(grep -v 'reduce:' "$work/out")" ] ||
    { echo "seed $seed fails otherwise when run alone: $again"; exit 3; }
"$XENSOCK" shrink --seed "$seed" "$scenario" 2>&1 | tee "$work/shrunk"
only=$(sed -n 's/.*--only \([^ ]*\) .*/\1/p' "$work/shrunk")
reduced=$(swarm --seeds "$seed..$seed" --only "$only") && { echo "what is left passes"; exit 3; }
grep -q "^seed $seed: $what " <<<"$reduced" || { echo "what is left fails otherwise"; exit 3; }
exit 1
