#!/bin/bash
# Every byte that a guest sends is compared by the peer, and counted, at the smallest and the
# largest order. A stream fills the ring to its end and waits, so its writes seldom lie across the
# end; requests of an odd size, one at a time, do so again and again.
# shellcheck disable=SC1091
. "$(dirname "$0")/common.sh"

cat >up.yaml <<'EOF'
schema: xensock/scenario/1
name: up
timeout: 10s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    drain: {kind: sink}
    echo: {kind: echo}
workload:
  - {name: put, kind: stream, connect_to: drain, bytes: 3000001, write_size: 4097, sockets: 2}
  - {name: ask, kind: request-response, connect_to: echo, request: 4097, operations: 500}
EOF
for order in 1 6; do
    expect 0 "$XENSOCK" run --set protocol.order=$order --out result up.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' \
        'c["peer.drain.bytes_in"] == 2 * 3000001' 'c["peer.drain.connections"] == 2' \
        'c["peer.echo.bytes_in"] == c["peer.echo.bytes_out"] == 500 * 4097' \
        'c["peer.drain.mismatches"] == c["peer.echo.mismatches"] == 0'
done
nothing_left
