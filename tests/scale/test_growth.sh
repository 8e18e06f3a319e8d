#!/bin/bash
# What an event costs does not grow with how many guests, or sockets of one guest, there are. Time
# says nothing about that on a machine with other work, so instructions are counted, which are nearly
# the same each time.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"

if sanitized || ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is missing or would count a sanitizer"
    exit 77
fi

# counted NAME GUESTS SOCKETS: instructions and events of a run with so many, to NAME.count.
counted()
{
    valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file="$1.log" \
        "$XENSOCK" run --out "$1" --set "topology.hosts.web.count=$2" \
        --set "workload.visits.sockets=$3" --set "workload.visits.operations=$((2 * $3))" \
        growth.yaml >"$1.out" 2>&1 || return 1
    python3 - "$1" >"$1.count" <<'EOS'
import json, re, sys
with open(f"{sys.argv[1]}.log") as log:
    instructions = int(re.search(r"I *refs: *([\d,]+)", log.read())[1].replace(",", ""))
with open(f"{sys.argv[1]}/result.json") as result:
    counters = json.load(result)["points"][0]["repeats"][0]["counters"]
print(instructions, counters["virtual.events"])
EOS
}

# flat NAME: of three runs, each with twice as many as the one before, the second doubling costs at
# most 6% more instructions an event than the first. A heap alone makes less than 2%; a walk over
# all guests for each write to the store, which is a few of a guest's hundreds of events, made 13%.
flat()
{
    python3 - "$1" <<'EOS' || fail "an event costs the more, the more $1 there are"
import sys
runs = []
for size in (1, 2, 4):
    with open(f"{sys.argv[1]}-{size}.count") as count:
        runs.append([int(number) for number in count.read().split()])
costs = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(runs, runs[1:])]
print(f"{sys.argv[1]}: {costs[0]:.0f} and {costs[1]:.0f} instructions an event")
sys.exit(runs[2][1] < 3 * runs[0][1] or costs[1] > 1.06 * costs[0])
EOS
}

cat >growth.yaml <<'EOS'
schema: xensock/scenario/1
name: growth
mode: virtual
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
protocol: {order: 2}
workload:
  - {name: visits, kind: request-response, connect_to: echo, request: 64, operations: 1}
EOS
for size in 1 2 4; do
    counted "guests-$size" $((100 * size)) 2 &
    one=$!
    counted "sockets-$size" 1 $((400 * size)) || fail "sockets-$size: $(cat "sockets-$size.out")"
    wait "$one" || fail "guests-$size: $(cat "guests-$size.out")"
done
flat guests
flat sockets
nothing_left
