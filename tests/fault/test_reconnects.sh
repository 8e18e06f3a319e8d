#!/bin/bash
# A thousand reconnects leak nothing: in virtual time of the guest and of the backend, each at other
# moments of what it does; in real processes fewer, with room for so few descriptors that one left
# over by each life would be too many. Then pauses of either side, which cut nothing.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# many MODE DURATION TIMES FAULT LEAST: one socket that asks, one that streams; the fault again and
# again, and so many of them happen: in real time one may find its host still dead, and does not.
many()
{
    cat >many.yaml <<EOF
schema: xensock/scenario/1
name: many
mode: $1
duration: $2
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}, drain: {kind: sink}}
protocol: {order: 1}
workload:
  - {name: ask, kind: request-response, connect_to: echo}
  - {name: put, kind: stream, connect_to: drain, write_size: 4KiB}
faults:
  - {$4, times: $3}
EOF
    expect 0 "$XENSOCK" run --out result many.yaml
    nothing_left
    right result/result.json "$3 >= len(f) >= $5" 'm["operations.ask"]["value"] > 0'
}

# recovered TIMES: nearly all; the last may find the end of the run before it is over.
recovered()
{
    holds result/result.json "sum(one['recovery_ns'] is not None for one in f) >= $1"
}

# each moment is another one: the period is none of anything's
many virtual 3100ms 1000 'kind: restart, where: dom0, every: 3013us, for: 101us' 1000
recovered 990
holds result/result.json 'm["resumed.ask"]["value"] >= 990' 'm["lost.put"]["value"] >= 990'
many virtual 3100ms 1000 'kind: restart, where: web, every: 3013us, for: 101us' 1000
recovered 990

ulimit -n 60
many emulated 3s 90 'kind: restart, where: dom0, every: 31ms, for: 3ms' 60
recovered 54
holds result/result.json 'm["resumed.ask"]["value"] >= 54'
many emulated 3s 90 'kind: restart, where: web, every: 31ms, for: 3ms' 60
recovered 54

# One that stands still for a while: all is delayed and nothing lost, so both ends count alike.
for where in web dom0; do
    for mode in virtual emulated; do
        many $mode 1s 3 "kind: pause, where: $where, at: 100ms, every: 300ms, for: 200ms" 3
        holds result/result.json 'c["peer.echo.bytes_in"] == c["peer.echo.bytes_out"] > 0' \
            'm["latency.ask"]["max"] >= 190_000_000' '"lost.ask" not in m'
    done
done
