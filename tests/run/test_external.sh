#!/bin/bash
# A GiB to and from a server that nobody here wrote, its checksum equal at both ends.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

bytes=1GiB
! sanitized || bytes=64MiB
cat >external.yaml <<EOF
schema: xensock/scenario/1
name: external
seed: 4711
timeout: 45s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    other: {kind: external, address: "127.0.0.1:1"}
workload:
  - {name: bulk, kind: stream, connect_to: other, bytes: $bytes}
EOF

# run_with PORT [OPTION]...
run_with()
{
    local port=$1
    shift
    expect 0 "$XENSOCK" run --set "topology.peers.other.address=127.0.0.1:$port" --out result "$@" \
        external.yaml
}

start payload sh -c "'$XENSOCK' payload --seed 4711 --bytes $bytes | xxh128sum"
payload=$pid

listen="TCP-LISTEN:0,bind=127.0.0.1"
start up sh -c "socat -d -d -u -b 262144 $listen - | xxh128sum"
up=$pid
run_with "$(socat_port up)"
holds result/result.json 'r["complete"] is True' 'e == []' 'm["throughput.bulk"]["value"] > 0'
ended "$up" 0 10
read -r arrived _ <up.log
ended "$payload" 0 30
read -r sent _ <payload.log
[ "$arrived" = "$sent" ] || fail "the server received $arrived, the stream is $sent"

start down sh -c "'$XENSOCK' payload --seed 4711 --bytes $bytes |
    socat -d -d -u -b 262144 - $listen"
down=$pid
run_with "$(socat_port down)" --set workload.bulk.direction=down
holds result/result.json 'r["complete"] is True' 'e == []' 'm["throughput.bulk"]["value"] > 0' \
    "m['received.bulk']['xxh128'] == '$sent'" \
    'm["received.bulk"]["value"] == r["scenario"]["resolved"]["workload"][0]["bytes"] > 0'
ended "$down" 0 10
nothing_left
