#!/bin/bash
# A thousand reconnects leak nothing: in virtual time of the guest and of the backend, each at other
# moments of what it does; in real processes fewer, with room for so few descriptors that one left
# over by each life would be too many. Then pauses of either side, which cut nothing.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

ask='kind: request-response, connect_to: echo'

# many MODE DURATION TIMES FAULT LEAST EXPRESSION...: one socket that asks, one that streams; the fault
# again and again, and so many of them happen: in real time one may find its host still dead, and does
# not.
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
  - {name: ask, $ask}
  - {name: put, kind: stream, connect_to: drain, write_size: 4KiB}
  - {name: once, $once}
faults:
  - {$4, times: $3}
EOF
    expect 0 "$XENSOCK" run --out result many.yaml
    nothing_left
    right result/result.json "$3 >= len(f) >= $5" 'm["operations.once"]["value"] >= 6' "${@:6}"
}

# each moment is another one: the period is none of anything's
many virtual 3100ms 1000 'kind: restart, where: dom0, every: 3013us, for: 101us' 1000 \
    "$recovered >= 990" 'm["resumed.ask"]["value"] >= 990' 'm["lost.put"]["value"] >= 990'
many virtual 3100ms 1000 'kind: restart, where: web, every: 3013us, for: 101us' 1000 \
    "$recovered >= 990" 'm["operations.ask"]["value"] > 0'

# How many happen is the machine's. The guest lived on, and each of its sockets failed once a device;
# or the last life had all to do.
ulimit -n 60
many emulated 3s 90 'kind: restart, where: dom0, every: 31ms, for: 3ms' 1 \
    "m['resumed.ask']['value'] >= $recovered > 0" \
    '0 < m["lost.ask"]["value"] <= m["resumed.ask"]["value"] + 1' \
    '0 < m["lost.put"]["value"] <= m["resumed.ask"]["value"] + 1'
many emulated 3s 90 'kind: restart, where: web, every: 31ms, for: 3ms' 1 \
    'f[-1]["recovery_ns"] is not None'

# One that stands still for a while: all is delayed, what was to be asked meanwhile too, and nothing
# lost, so both ends count alike.
ask+=', arrivals: {kind: fixed, rate: 1000/s}'
for where in web dom0; do
    for mode in virtual emulated; do
        many $mode 1s 3 "kind: pause, where: $where, at: 100ms, every: 300ms, for: 200ms" \
            "$([ $mode = virtual ] && echo 3 || echo 1)" \
            'c["peer.echo.bytes_in"] == c["peer.echo.bytes_out"] > 0' \
            'm["latency.ask"]["max"] >= 190_000_000' '"lost.ask" not in m'
    done
done
