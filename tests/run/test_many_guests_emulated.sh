#!/bin/bash
# Many guests and several backends, each a process: every byte at both ends, every grant, port, map
# and descriptor given back, nobody left over; also when one of them is lost or all are interrupted.
# Results have the shape they have in virtual time.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

sockets=250 most=64
if sanitized; then
    sockets=25 most=8
fi
nothing='all(c[name] == 0 for name in c if name.endswith("_left"))'

cat >many.yaml <<EOS
schema: xensock/scenario/1
name: many
timeout: 40s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend, count: 4}}
  peers: {drain: {kind: sink}, spring: {kind: source}, echo: {kind: echo}}
protocol: {order: 1}
workload:
  - {name: up, kind: stream, connect_to: drain, sockets: $((sockets / 2)), bytes: 20KiB}
  - {name: down, kind: stream, direction: down, connect_to: spring, sockets: $((sockets / 4)), bytes: 20KiB}
  - {name: ask, kind: request-response, connect_to: echo, sockets: $((sockets - sockets / 2 - sockets / 4)), operations: 500}
EOS

# Four guests, each with so many sockets. Both modes say the same of what is not time.
for mode in emulated virtual; do
    expect 0 "$XENSOCK" run --out $mode --set mode=$mode many.yaml
    holds $mode/result.json "r['complete'] and not e" "$nothing" \
        "m['bytes.up']['value'] == 4 * $((sockets / 2)) * 20480 == c['peer.drain.bytes_in']" \
        "m['bytes.down']['value'] == 4 * $((sockets / 4)) * 20480 == c['peer.spring.bytes_out']" \
        "m['operations.ask']['value'] == 2000 == m['latency.ask']['count']" \
        "c['peer.echo.bytes_in'] == c['peer.echo.bytes_out'] == 2000 * 64" \
        "sum(c[f'peer.{one}.connections'] for one in ('drain', 'spring', 'echo')) == 4 * $sockets" \
        "all(c[name] == 0 for name in c if name.endswith(('mismatches', 'resets', 'streams')))" \
        "c['frontend.sent_bytes'] == c['backend.sent_bytes']"
    # as processes, the first sockets may be through before the last ones open
    [ $mode = emulated ] || holds $mode/result.json "c['backend.sockets_peak'] >= $sockets"
    python3 - $mode/result.json >$mode.shape <<'EOS'
import json, sys
with open(sys.argv[1]) as file:
    repeat = json.load(file)["points"][0]["repeats"][0]
for group in ("metrics", "counters"):
    for key, value in repeat[group].items():
        if "cpu_" not in key and ".cost." not in key and not key.startswith("virtual."):
            print(group, key, *(value if isinstance(value, dict) else []))
EOS
done
cmp emulated.shape virtual.shape || fail "the modes' results differ in shape: $(diff ./*.shape)"
holds emulated/result.json "p['frontend']['count'] == 4" "p['backend']['count'] == 1" \
    "p['frontend']['memory_peak_bytes'] < 64 << 20"

# Two backends with two guests each, in both modes.
for mode in emulated virtual; do
    expect 0 "$XENSOCK" run --out two --set mode=$mode "$SOURCE/scenarios/several-backends.yaml"
    holds two/result.json "r['complete'] and not e" "$nothing" \
        'c["backend.dom0.ports_peak"] == c["backend.driver.ports_peak"] == 8 == c["backend.ports_peak"]' \
        'c["backend.notifications"] == c["backend.dom0.notifications"] + c["backend.driver.notifications"]' \
        'c["frontend.calls"] == c["frontend.left.calls"] + c["frontend.right.calls"]' \
        'all(m[f"bytes.{one}-bulk"]["value"] > 0 for one in ("left", "right"))' \
        'all(m[f"latency.{one}-ask"]["count"] == m[f"operations.{one}-ask"]["value"] > 0 for one in ("left", "right"))'
done
holds two/result.json 'm["latency.right-ask"]["p50"] - m["latency.left-ask"]["p50"] > 900000'

# As many as there may be, each with its process.
expect 0 "$XENSOCK" run --out most --set "topology.hosts.web.count=$most" \
    --set workload.up.sockets=2 --set workload.down.sockets=2 --set workload.ask.sockets=1 \
    --set workload.ask.operations=50 many.yaml
holds most/result.json "r['complete'] and not e" "$nothing" "p['frontend']['count'] == $most" \
    "m['operations.ask']['value'] == 50 * $most" "c['backend.ports_peak'] > $most" \
    "c['peer.drain.bytes_in'] == $most * 2 * 20480"
nothing_left

# While they run: nobody begins before all are up, descriptors come back, a guest may be lost.
cat >long.yaml <<'EOS'
schema: xensock/scenario/1
name: long
duration: 50s
warmup: 1ms
timeout: 2min
topology:
  hosts: {dom0: {role: backend}, driver: {role: backend}, web: {role: frontend, count: 2}, db: {role: frontend, backend: driver}}
  peers: {drain: {kind: sink}, echo: {kind: echo}}
workload:
  - {name: put, kind: stream, connect_to: drain, sockets: 2}
  - {name: ask, kind: request-response, connect_to: echo, where: db}
EOS

begun()
{
    rm -rf result
    start run "$XENSOCK" run --out result long.yaml
    run=$pid
    within 30 is_busy
}

# Bytes flow: the sink has two connections of each guest.
is_busy()
{
    local peer
    peer=$(part "$run" peer drain) && part "$run" frontend web.1 >/dev/null &&
        [ "$(ss -Htnp state established | grep -c "pid=$peer,")" = 4 ]
}

begun
kill -INT "$run"
ended "$run" 130 20
nothing_left
holds result/result.json 'r["complete"] is False' 'e == []' 'm["throughput.put"]["value"] > 0' \
    'm["operations.ask"]["value"] > 0' 'm["latency.ask"]["count"] == m["operations.ask"]["value"]' \
    'c["peer.drain.mismatches"] == c["peer.echo.mismatches"] == 0' \
    'p["frontend.web"]["count"] == 2 and p["frontend.db"]["count"] == 1'

# What the others measured is in the result.
begun
kill -KILL "$(part "$run" frontend web.1)"
ended "$run" 1 20
nothing_left
holds result/result.json 'r["complete"] is False' '"E0603" in e' '"web.1 died of signal 9" in t' \
    'm["throughput.put"]["value"] > 0' 'm["operations.ask"]["value"] > 0' \
    'p["frontend.web"]["count"] == 1 and p["frontend.db"]["count"] == 1'

# Every descriptor that sockets took is given back while the run goes on: as many are left behind 200
# connections of each guest as behind one (or fewer, if that one was still going).
cat >visits.yaml <<'EOS'
schema: xensock/scenario/1
name: visits
timeout: 40s
duration: 30s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend, count: 2}, db: {role: frontend}}
  peers: {drain: {kind: sink}, echo: {kind: echo}}
protocol: {order: 1}
workload:
  - {name: visit, kind: stream, connect_to: drain, bytes: 1KiB}
  - {name: ask, kind: request-response, connect_to: echo, where: db}
EOS

# The descriptors of the backend and of a guest that visits.
descriptors()
{
    local one
    for one in "backend --domid" "frontend web.0"; do
        # shellcheck disable=SC2086
        find "/proc/$(part "$run" $one)/fd" -maxdepth 1 -type l | wc -l
    done | paste -s -d ' '
}

# visited COUNT: so many connections to the sink have been, and none is left.
visited()
{
    local pid port
    pid=$(part "$run" peer drain) && part "$run" frontend web.1 >/dev/null || return 1
    port=$(ss -Htlnp | sed -n "s/.*127.0.0.1:\([0-9]*\) .*pid=$pid,.*/\1/p")
    [ "$(ss -Htn state time-wait "( sport = :$port or dport = :$port )" | wc -l)" -ge "$1" ]
}

# settled BACKEND GUEST: neither has more descriptors than that.
settled()
{
    local backend guest
    read -r backend guest < <(descriptors)
    [ "$backend" -le "$1" ] && [ "$guest" -le "$2" ]
}

# visits SOCKETS REPEAT
visits()
{
    start visits "$XENSOCK" run --out result --set "workload.visit.sockets=$1" \
        --set "workload.visit.repeat=$2" visits.yaml
    run=$pid
    within 30 visited $((2 * $1 * $2))
}

over()
{
    kill -INT "$run"
    ended "$run" 130 20
    nothing_left
    holds result/result.json "m['operations.visit']['value'] == $1"
}

visits 1 1
read -r backend guest < <(descriptors)
over 2
visits 25 8
within 30 settled "$backend" "$guest"
over 400
