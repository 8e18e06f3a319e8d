#!/bin/bash
# Shapes of load, and limits. Sizes are drawn from the seed alone, so what is asked for and what comes back is
# the same to the last byte in both modes, over any number of sockets, and whoever else is there.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >draws.yaml <<'END'
schema: xensock/scenario/1
name: draws
seed: 9
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
    other: {role: frontend}
  peers:
    server: {kind: responder}
    neighbour: {kind: responder}
    sink: {kind: sink}
workload:
  - name: pages
    kind: request-response
    connect_to: server
    request: {kind: exponential, mean: 300, max: 100kB}
    response: {kind: lognormal, median: 4KiB, p99: 300KiB}
    sockets: 3
    operations: 400
  - name: bulk
    kind: stream
    connect_to: sink
    bytes: 3MiB
    write_size: {kind: uniform, min: 1, max: 64KiB}
    sockets: 2
    repeat: 2
  - name: noise
    where: other
    kind: request-response
    connect_to: neighbour
    request: {kind: uniform, min: 16, max: 99}
    operations: 50
END

run()
{
    expect 0 "$XENSOCK" run --out "$1" draws.yaml "${@:2}"
}

run emulated
run virtual --set mode=virtual
run alone --set mode=virtual --set workload.pages.sockets=1 --set workload.noise.operations=1
run seed --set mode=virtual --set seed=10
for one in emulated virtual alone; do
    holds $one/result.json "m['operations.pages']['value'] == 400" \
        "c['peer.server.bytes_in'] == 122172" "c['peer.server.bytes_out'] == 8973116" \
        "c['peer.sink.bytes_in'] == 12 << 20"
done
holds seed/result.json "c['peer.server.bytes_in'] != 122172"
# Without 'response' it is as much as the request.
holds virtual/result.json \
    "50 * 16 < c['peer.neighbour.bytes_in'] == c['peer.neighbour.bytes_out'] < 50 * 99"

# A load that comes and goes counts while it is there, and no longer.
cat >phases.yaml <<'END'
schema: xensock/scenario/1
name: phases
seed: 9
warmup: 50ms
duration: 400ms
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    server: {kind: responder}
    echo: {kind: echo}
    sink: {kind: sink}
    source: {kind: source}
workload:
  - {name: steady, kind: request-response, connect_to: server, sockets: 2}
  - {name: bulk, kind: stream, connect_to: sink, start: 100ms, stop: 200ms}
  - {name: fetch, kind: stream, connect_to: source, direction: down, stop: 100ms}
  - {name: both, kind: stream, connect_to: echo, direction: both, start: 50ms, stop: 150ms}
  - name: late
    kind: request-response
    connect_to: server
    response: 10kB
    sockets: 4
    arrivals: {kind: fixed, rate: 1000/s}
    start: 200ms
  - name: doors
    kind: connect-close
    connect_to: server
    sockets: 4
    arrivals: {kind: fixed, rate: 100/s}
    start: 150ms
    stop: 350ms
  - {name: few, kind: request-response, connect_to: echo, operations: 10, start: 300ms, stop: 301ms}
END
expect 0 "$XENSOCK" run --out comes phases.yaml --set mode=virtual
holds comes/result.json "m['duration.bulk']['value'] == m['duration.both']['value'] == 10**8" \
    "m['duration.fetch']['value'] == 10**8" "m['duration.few']['value'] == 10**6" \
    "m['duration.doors']['value'] == m['duration.late']['value'] // 10**6 * 10**6 == 2 * 10**8" \
    "m['duration.steady']['value'] // 10**6 == 400" \
    "m['operations.late']['value'] == m['latency.late']['count'] == 200" \
    "m['operations.doors']['value'] == m['latency.doors']['count'] == 20" \
    "0 < m['operations.few']['value'] == m['latency.few']['count'] < 10 and not m['backlog.late']['value']" \
    "0 < m['bytes.bulk']['value'] < c['peer.sink.bytes_in'] + 10**6"
expect 0 "$XENSOCK" run --out goes phases.yaml
holds goes/result.json "0 < m['duration.bulk']['value'] < m['duration.steady']['value']" \
    "m['operations.few']['value'] <= 10" "m['bytes.both']['value'] > 0"

# Who has small tables fails where they are full, and nobody else does: of 30 connections at once 7
# have room, by 504 grants as by 8 ports.
cat >limits.yaml <<'END'
schema: xensock/scenario/1
name: limits
duration: 200ms
topology:
  hosts:
    dom0: {role: backend}
    small: {role: frontend, limits: {grant_frames: 1}}
    few: {role: frontend, limits: {ports: 9}}
    usual: {role: frontend}
  peers:
    echo: {kind: echo}
workload:
  - {name: crowd, where: small, kind: connect-close, connect_to: echo, sockets: 30, arrivals: {kind: burst, rate: 300/s, size: 30}}
  - {name: doors, where: few, kind: connect-close, connect_to: echo, sockets: 30, arrivals: {kind: burst, rate: 300/s, size: 30}}
  - {name: calm, where: usual, kind: connect-close, connect_to: echo, sockets: 30, arrivals: {kind: burst, rate: 300/s, size: 30}}
END
for mode in virtual emulated; do
    expect 1 "$XENSOCK" run --out small limits.yaml --set mode=$mode
    holds small/result.json "e == ['E0401', 'E0401']" \
        "m['operations.calm']['value'] == 60 or '$mode' == 'emulated'" \
        "t.count('ENOSPC (grants: at order 6 of xensock1 there is room for 7 sockets)') == 1" \
        "t.count('ENOSPC (event channel ports: there is room for 7 sockets)') == 1" \
        "m['operations.doors']['value'] > 0 and m['operations.crowd']['value'] > 0"
    rm -r small
done
nothing_left
