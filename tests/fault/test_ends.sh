#!/bin/bash
# A run ends when its duration has passed, whatever has happened: a guest comes again and its backend
# never does, or neither ever has the time to come up.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

more=() # options

# ends MODE DURATION FAULT...: it ends by itself, by its duration, in good order. Which faults happen
# before that is the machine's in real time.
ends()
{
    local mode=$1 duration=$2
    cat >ends.yaml <<EOS
schema: xensock/scenario/1
name: ends
mode: $mode
duration: $duration
warmup: 20ms
timeout: 10s
topology:
  hosts: {dom0: {role: backend}, ask: {role: frontend}, put: {role: frontend}}
  peers:
    echo: {kind: echo}
    drain: {kind: sink}
    caller: {kind: client, connect_to: answer, connections: 2, bytes: 1MiB}
protocol: {order: 1}
workload:
  - {name: ask, where: ask, kind: request-response, connect_to: echo}
  - {name: put, where: put, kind: stream, connect_to: drain, write_size: 4KiB}
  - {name: answer, where: ask, kind: serve, listen: "127.0.0.1:$(free_port)"}
faults:
EOS
    shift 2
    printf '  - {%s}\n' "$@" >>ends.yaml
    expect 0 "$XENSOCK" run --out result "${more[@]}" ends.yaml
    nothing_left
    right result/result.json "len(f) >= $# or r['mode'] == 'emulated'"
}

# by NS: what had to be waited for beside the duration is little.
by()
{
    holds result/result.json "r['points'][0]['repeats'][0]['virtual_ns'] < $1"
}

# The clock of a guest that comes again went on: in virtual time it is known what its lives did.
whole='m["duration.ask"]["value"] == 100_000_000'

for mode in virtual emulated; do
    ends $mode 100ms 'kind: kill, where: dom0, at: 20ms' 'kind: restart, where: ask, at: 30ms'
    [ $mode = emulated ] || by 130_000_000
    [ $mode = emulated ] || holds result/result.json "$whole" 'm["operations.ask"]["value"] > 0'

    # each life is too short for the handshake, and for the warm-up
    ends $mode 100ms 'kind: restart, where: ask, at: 10ms, for: 999us, every: 1ms' \
        'kind: restart, where: put, for: 999us, every: 1ms'
    [ $mode = emulated ] || by 130_000_000
    [ $mode = emulated ] || holds result/result.json "$whole" 'm["operations.ask"]["value"] > 0'
done

# longer than the patience with which a stall is waited for
ends virtual 3s 'kind: kill, where: dom0, at: 20ms' 'kind: restart, where: ask, at: 30ms'
by 3_030_000_000

# each life is too short for a turn of their CPU
more=(--set topology.hosts.put.count=60 --set topology.hosts.put.cpu=0)
ends virtual 100ms 'kind: restart, where: put, for: 999us, every: 1ms'
by 130_000_000
