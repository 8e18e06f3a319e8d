#!/bin/bash
# An open loop: every request that was due is accounted for, whether the guest keeps up or not, and
# the latency of one that waited shows it.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

visits() # visits SETTING...: the scenario with these overrides, the result in result/
{
    local sets=() set
    for set in "$@"; do
        sets+=(--set "$set")
    done
    expect 0 "$XENSOCK" run --out result "${sets[@]}" "$SOURCE/scenarios/open-loop.yaml"
}

# As it stands: the metrics are there, and what a request takes includes what it waited.
visits duration=500ms
holds result/result.json 'r["complete"] is True' 'e == []' \
    'm["offered.visits"] == {"unit": "operations_per_s", "value": 5000}' \
    'm["latency.visits"]["count"] == m["service.visits"]["count"] == m["operations.visits"]["value"]' \
    'all(m["latency.visits"][q] >= m["service.visits"][q]
         for q in ("min", "p50", "p90", "p99", "p99_9", "max"))'
grep -q '^  service .*s$' out.log || fail "the table has no service time"
grep -q '^  offered  *5000/s$' out.log || fail "the table has no offered rate"

# Fixed arrivals without a warm-up: one at once, then one each 200 us to the end of the measured
# phase, whose length is in the result. They were answered, or under way (on four sockets at most),
# or had not begun.
readonly due='(m["duration.visits"]["value"] * rate // 1000000000 + 1)' \
    counted='m["operations.visits"]["value"] + m["backlog.visits"]["value"]'
visits warmup=0s duration=500ms workload.visits.arrivals.kind=fixed
holds result/result.json "0 <= ${due/rate/5000} - ($counted) <= 4" 'e == []'

# More than any guest can do: the rest is the backlog, and the median has waited for long.
visits warmup=0s duration=500ms workload.visits.arrivals.{kind=fixed,rate=1000000/s}
holds result/result.json "0 <= ${due/rate/1000000} - ($counted) <= 4" 'e == []' \
    'm["backlog.visits"]["value"] > 0' \
    'm["latency.visits"]["p50"] > 10 * m["service.visits"]["p50"]'
grep -q '^  backlog ' out.log || fail "the table has no backlog"

# All that are wanted, at a rate at which they take until their time has come.
visits warmup=0s workload.visits.operations=100 workload.visits.arrivals.{kind=fixed,rate=1000/s}
holds result/result.json 'm["operations.visits"]["value"] == 100' 'e == []' \
    'm["backlog.visits"]["value"] == 0' 'm["duration.visits"]["value"] >= 99000000'
nothing_left
