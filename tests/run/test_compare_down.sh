#!/bin/bash
# Every byte that a guest receives is compared by the guest, and counted: a few MiB at the smallest
# and the largest order, in reads that never fit the ring.
# shellcheck disable=SC1091
. "$(dirname "$0")/common.sh"

cat >down.yaml <<'EOF'
schema: xensock/scenario/1
name: down
timeout: 10s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {spring: {kind: source}}
workload:
  - name: get
    kind: stream
    connect_to: spring
    direction: down
    bytes: 3000001
    read_size: 4097
    sockets: 2
EOF
for order in 1 6; do
    expect 0 "$XENSOCK" run --set protocol.order=$order --out result down.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' \
        'c["peer.spring.bytes_out"] == 2 * 3000001' 'c["peer.spring.connections"] == 2'
done
nothing_left
