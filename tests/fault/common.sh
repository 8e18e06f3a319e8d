# shellcheck shell=bash
# What the tests of faults share, to be sourced: a scenario under load, and random moments.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"

# moments SEED COUNT FIRST LEAST MOST: so many moments in ms, the first at FIRST, each LEAST to MOST
# behind the one before.
moments()
{
    python3 - "$@" <<'EOF'
import random, sys
seed, count, at, least, most = map(int, sys.argv[1:])
random.seed(seed)
for _ in range(count):
    print(at)
    at += random.randint(least, most)
EOF
}

# What is to be done in the last life of a guest, and takes half a second: so it ends only when all
# who died are back, however slow the machine, and a fault that is due before finds it at work.
once='kind: request-response, connect_to: echo, operations: 6, arrivals: {kind: fixed, rate: 10/s}'

# Number of faults from which the devices came again: for the expressions of holds.
# shellcheck disable=SC2034
recovered='sum(one["recovery_ns"] is not None for one in f)'

# loaded FILE DURATION: all kinds of workloads at the same time, without end, and some with one; the
# port of the one that listens is free. Faults are to be appended.
loaded()
{
    cat >"$1" <<EOF
schema: xensock/scenario/1
name: loaded
duration: $2
timeout: 40s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    drain: {kind: sink}
    spring: {kind: source}
    echo: {kind: echo}
    caller: {kind: client, connect_to: answer, connections: 6, bytes: 2MiB}
protocol: {order: 2}
workload:
  - {name: put, kind: stream, connect_to: drain, sockets: 2}
  - {name: get, kind: stream, connect_to: spring, direction: down}
  - {name: ask, kind: request-response, connect_to: echo, sockets: 3}
  - {name: once, $once}
  - {name: up, kind: stream, connect_to: drain, bytes: 64KiB}
  - {name: down, kind: stream, connect_to: spring, direction: down, bytes: 64KiB}
  - {name: answer, kind: serve, listen: "127.0.0.1:$(free_port)"}
faults:
EOF
}

# right RESULT EXPRESSION...: with faults a run is right when no byte is wrong and nothing is left.
# shellcheck disable=SC2120
right()
{
    local result=$1
    shift
    holds "$result" 'e == []' 'r["complete"]' \
        'all(v == 0 for k, v in c.items() if k.endswith(("_left", ".mismatches", "_errors")))' "$@"
}
