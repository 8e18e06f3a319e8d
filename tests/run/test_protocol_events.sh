#!/bin/bash
# The protocol events a simulation counts are those of its trace: events into cores, actions out of
# them, calls of the application, of all domains and from the beginning to the end.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

expect 0 "$XENSOCK" run --out result --trace run.trace --set topology.hosts.web.count=3 \
    --set duration=20ms "$SOURCE/tests/bench/requests.yaml"
expect 0 "$XENSOCK" trace show run.trace
traced=$(awk '$3 == "event" || $3 == "action" || $3 == "call"' out.log | wc -l)
[ "$traced" -gt 10000 ] || fail "only $traced protocol events"
holds result/result.json "c['virtual.protocol_events'] == $traced" \
    'c["virtual.records"] > c["virtual.protocol_events"]'
