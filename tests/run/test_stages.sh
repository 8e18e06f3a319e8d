#!/bin/bash
# xensock run --stages: where the time of a run went, in both modes and each dialect. Stages add up;
# the time line holds what the counters do; nothing is left of the capture behind it, and one that
# was asked for stays.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >base.yaml <<'YAML'
schema: xensock/scenario/1
name: base
seed: 3
duration: 100ms
warmup: 20ms
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    sink: {kind: sink}
    echo: {kind: echo}
protocol: {order: 1}
workload:
  - {name: up, kind: stream, connect_to: sink, direction: up, write_size: 16KiB}
  - {name: ask, kind: request-response, connect_to: echo, request: 64}
  - {name: open, kind: connect-close, connect_to: sink}
YAML

# The same with an end of its own, however busy the machine is.
sed -e '/^warmup/d; /^duration/d' -e 's/write_size: 16KiB/&, bytes: 512KiB/' \
    -e 's/request: 64/&, operations: 60/' -e 's/kind: connect-close, connect_to: sink/&, operations: 30/' \
    base.yaml >bounded.yaml

# Of each path: its stages have its count, and their sums are its own.
add_up="all(sum(m['stage.%s.%s' % (path, s)]['sum'] for s in stages.split()) == m['stage.' + path]['sum']
    and all(m['stage.%s.%s' % (path, s)]['count'] == m['stage.' + path]['count'] > 20 for s in stages.split())
    for path, stages in (('out', 'notify wake take'), ('in', 'notify wake take'), ('round', 'out peer in'),
        ('connect', 'notify wake take work reply_notify reply_wake reply_take'),
        ('release', 'notify wake take work reply_notify reply_wake reply_take')))"
series="r['points'][0]['repeats'][0]['timeline']['series']"
line="all(50 < len(one) == len(${series}['sent_bytes']) <= 200 for one in ${series}.values()) and len(${series}) == 7"
hist="all({'unit', 'count', 'sum', 'p50', 'p99', 'hdr_v2'} <= set(one) for name, one in m.items() if name.startswith('stage.'))"

# counted NAME COUNTER: this series and that counter are of the same things. What the turn that ends the
# phase does after it has, to release its sockets, has the same time: a notification a port at most.
counted() { echo "100 < c['$2'] <= sum(${series}['$1']) <= c['$2'] + (c['frontend.ports_peak'] if 'not' in '$1' else 0)"; }

for dialect in xensock1 pvcalls1 xensock1-compact; do
    expect 0 "$XENSOCK" run --stages --set mode=virtual --set "protocol.dialect=$dialect" --out v base.yaml
    # in virtual time to the last byte and notification, and of each request to the ns
    holds v/result.json "$add_up" "$line" "$hist" "m['stage.round']['hdr_v2'] == m['latency.ask']['hdr_v2']" \
        "$(counted sent_bytes frontend.sent_bytes)" "$(counted received_bytes frontend.received_bytes)" \
        "$(counted notifications.frontend frontend.notifications)" \
        "$(counted notifications.backend backend.notifications)" \
        "max(${series}['out_ring_bytes']) == 4096" "max(${series}['command_ring_slots']) >= 1" \
        "'capture.packets' in c"
    grep -q '^  reply_wake ' out.log || fail "the table has no stages: $(cat out.log)"
    grep -q pcapng out.log err.log && fail "a capture is shown that nobody asked for"
    [ "$(ls v)" = result.json ] || fail "left beside the result: $(ls v)"
    expect 0 "$XENSOCK" run --stages --set "protocol.dialect=$dialect" --out e bounded.yaml
    holds e/result.json "$add_up" "${line/50 </0 <}" "$hist" "m['stage.round']['count'] == 60" \
        "m['stage.release']['count'] == c['frontend.requests'] - m['stage.connect']['count'] - m.get('stage.socket', {'count': 0})['count']"
    [ "$(ls e)" = result.json ] || fail "left beside the result: $(ls e)"
done

# Those that come again: what all lives counted is what the capture saw, no ring is fuller than it is,
# and no command is answered by another life.
cat base.yaml - >again.yaml <<'YAML'
faults:
  - {kind: restart, where: dom0, at: 5ms, for: 2ms, every: 10ms, times: 3}
  - {kind: restart, where: web, at: 10ms, for: 2ms, every: 10ms, times: 3}
YAML
expect 0 "$XENSOCK" run --stages --set mode=virtual --set duration=60ms --set warmup=5ms --out g again.yaml
holds g/result.json "sum(${series}['sent_bytes']) == c['frontend.sent_bytes']" \
    "sum(${series}['received_bytes']) == c['frontend.received_bytes']" \
    "max(${series}['command_ring_slots']) <= 4" "m['stage.connect']['max'] < 1e6" \
    "all(sum(v for k, v in c.items() if k.startswith(role + '.cost.')) == c[role + '.cpu_busy_ns'] for role in ('frontend', 'backend'))"

# The same twice, but for what names the time of the host; the run is the one it was without.
expect 0 "$XENSOCK" run --stages --capture mine.pcapng --set mode=virtual --out a base.yaml
[ -s mine.pcapng ] || fail "the capture that was asked for is gone"
grep -q '^capture: mine.pcapng' out.log || fail "the capture that was asked for is not told of"
expect 0 "$XENSOCK" run --stages --set mode=virtual --out b base.yaml
expect 0 "$XENSOCK" run --set mode=virtual --out c base.yaml
python3 - <<'PY' || fail "stages change the run, or differ from one run to the next"
import json
a, b, c = (json.load(open(f"{one}/result.json"))["points"][0]["repeats"][0] for one in "abc")
assert a["timeline"] == b["timeline"] and a["metrics"] == b["metrics"] and "timeline" not in c
assert a["trace"] == b["trace"] == c["trace"]
assert c["metrics"] == {k: v for k, v in b["metrics"].items() if not k.startswith("stage.")}
PY

# Of each run of a study, also by workers; and an expectation may be of a stage.
cat base.yaml - >sweep.yaml <<'YAML'
sweep:
  order: {path: protocol.order, values: [1, 3]}
repeat: {count: 2}
expect:
  - {name: wake, that: "p99(stage.out.wake) <= 1s"}
YAML
expect 0 "$XENSOCK" run --stages --jobs 2 --set mode=virtual --set duration=20ms --out s sweep.yaml
[ "$(ls s)" = result.json ] || fail "left beside the result: $(ls s)"
holds s/result.json "len(r['points']) == 2 and all(len(p['repeats']) == 2 for p in r['points'])" \
    "all('timeline' in one and one['metrics']['stage.round']['count'] > 20 for p in r['points'] for one in p['repeats'])" \
    "r['expectations'][0]['result'] == 'pass'"
nothing_left
