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

# loaded FILE DURATION: all kinds of workloads at the same time, without end; the port of the one
# that listens is free. Faults are to be appended.
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
