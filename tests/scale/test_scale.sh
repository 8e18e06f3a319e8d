#!/bin/bash
# 1000 guests with 100 sockets each, all open at once in one run: every byte right, nothing left,
# within 4 GiB. And that what an event costs does not grow with how many guests, or sockets of one
# guest, there are. Time tells nothing about that on a machine with other work, so it is counted in
# instructions, which are nearly the same each time, and per event, of which twice as many guests
# make twice as many.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"

guests=1000
if sanitized; then
    guests=20 # ten times slower, and memory is the sanitizer's
fi

# ---- a hundred thousand sockets ----

cat >bounded.py <<'EOS'
"""Runs a command; its peak of memory in KiB goes to a file."""
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
with open(sys.argv[1], "w") as peak:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=peak)
sys.exit(code)
EOS
expect 0 python3 bounded.py peak "$XENSOCK" run --out result \
    --set "topology.hosts.web.count=$guests" "$SOURCE/scenarios/many-guests.yaml"
# the backend's peak of ports: at one moment it had one for each socket and each device
holds result/result.json 'r["complete"] is True' 'e == []' \
    "c['backend.ports_peak'] == $guests * 101" "c['backend.sockets_peak'] == $guests * 100" \
    'c["frontend.ports_peak"] == 101' 'c["frontend.grants_peak"] == 401' \
    "c['peer.echo.connections'] == $guests * 100" 'c["peer.echo.connect_failures"] == 0' \
    'c["peer.echo.mismatches"] == 0' 'c["peer.echo.resets"] == 0' \
    "c['peer.echo.bytes_in'] == c['peer.echo.bytes_out'] >= $guests * 100 * 256" \
    "m['operations.visits']['value'] >= $guests * 50" \
    'sum(name.endswith("_left") for name in c) == 9' \
    'all(c[name] == 0 for name in c if name.endswith("_left"))'
[ "$(cat peak)" -lt $((4 * 1024 * 1024)) ] || sanitized || fail "$(cat peak) KiB of memory"

# ---- what an event costs ----

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

if sanitized || ! command -v valgrind >/dev/null; then
    echo "left out: what an event costs; valgrind is missing or would count a sanitizer"
    exit 0
fi
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
