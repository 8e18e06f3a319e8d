#!/bin/bash
# connect-close: as many connections as were asked for, each seen by the peer and each given back, in
# both modes; in a closed loop and with arrivals; and what an address nobody listens on gives.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >closed.yaml <<'SCENARIO'
schema: xensock/scenario/1
name: closed
timeout: 30s
duration: 200ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {drain: {kind: sink}}
workload:
  - {name: doors, kind: connect-close, connect_to: drain, sockets: 4, operations: 500}
SCENARIO
sed 's/operations: 500/arrivals: {kind: fixed, rate: 1000\/s}, &/' closed.yaml >open.yaml
sed 's/, operations: 500//' open.yaml >flood.yaml
sed 's/, operations: 500//' closed.yaml >timed.yaml

for mode in virtual emulated; do
    expect 0 "$XENSOCK" run --set mode=$mode --out result closed.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' \
        'm["operations.doors"]["value"] == c["peer.drain.connections"] == 500' \
        'm["latency.doors"]["count"] == m["released.doors"]["count"] == 500' \
        'all(m["latency.doors"][q] < m["released.doors"][q] for q in ("min", "p50", "max"))' \
        'c["frontend.grants_peak"] == 1 + 4 * 64 and m["bytes.doors"]["value"] == 0'
    grep -q '^  released .*s$' out.log || fail "the table does not say when they were released"

    # 500 at 1000 a second take half a second, however fast they are; the first is due at once.
    expect 0 "$XENSOCK" run --set mode=$mode --out result open.yaml
    holds result/result.json 'e == []' 'm["operations.doors"]["value"] == 500' \
        'm["duration.doors"]["value"] >= 499000000' 'm["backlog.doors"]["value"] == 0' \
        'm["service.doors"]["count"] == 500 and c["peer.drain.connections"] == 500' \
        'all(m["latency.doors"][q] >= m["service.doors"][q] for q in ("min", "p50", "max"))'

    # More than any guest can do: half of them have waited for long before they began.
    expect 0 "$XENSOCK" run --set mode=$mode --set workload.doors.arrivals.rate=1000000/s \
        --out result flood.yaml
    holds result/result.json 'e == []' 'm["backlog.doors"]["value"] > 0' \
        'm["latency.doors"]["p50"] > 10 * m["service.doors"]["p50"]'

    # For a time: what the end found under way is no failure.
    expect 0 "$XENSOCK" run --set mode=$mode --set workload.doors.sockets=64 --out result timed.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' \
        '100 < m["operations.doors"]["value"] <= c["peer.drain.connections"]' \
        'm["released.doors"]["count"] == m["operations.doors"]["value"]' \
        'c["frontend.request_waits"] > 0'
done

# What cannot be connected fails each socket once, and the run.
sed 's/kind: sink/kind: external, address: "127.0.0.1:1"/' closed.yaml >refused.yaml
expect 1 "$XENSOCK" run --out result refused.yaml
holds result/result.json 'e == ["E0401"]' '"doors: 4 failed: connect to 127.0.0.1:1" in t' \
    'm["operations.doors"]["value"] == 0'
nothing_left
