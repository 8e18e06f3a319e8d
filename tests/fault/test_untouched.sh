#!/bin/bash
# Whoever is not struck by a fault, and whose backend is not, loses nothing: every byte is counted at
# both ends, and nothing is cut, while others die beside it.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

for mode in virtual emulated; do
    cat >beside.yaml <<EOS
schema: xensock/scenario/1
name: beside
mode: $mode
duration: 100ms
topology:
  hosts:
    dom0: {role: backend}
    driver: {role: backend}
    left: {role: frontend, count: 2}
    near: {role: frontend}
    right: {role: frontend, backend: driver}
  peers:
    echo: {kind: echo}
    drain: {kind: sink}
    caller: {kind: client, connect_to: answer, connections: 4, bytes: 100KiB}
    other: {kind: echo}
protocol: {order: 1}
workload:
  - {name: ask, where: left, kind: request-response, connect_to: echo}
  - {name: put, where: left, kind: stream, connect_to: drain}
  - {name: once, where: left, kind: request-response, connect_to: echo, operations: 10}
  - {name: all, where: left, kind: stream, connect_to: drain, bytes: 64KiB}
  - {name: more, where: near, kind: stream, connect_to: other, direction: both}
  - {name: beside, where: right, kind: request-response, connect_to: other}
  - {name: answer, where: right, kind: serve, listen: "127.0.0.1:$(free_port)"}
faults:
  - {kind: restart, where: near, at: 10ms, every: 20ms, times: 3}
  - {kind: restart, where: driver, at: 15ms, every: 20ms, times: 3}
EOS
    expect 0 "$XENSOCK" run --out result beside.yaml
    nothing_left
    # in real time one may find its host still dead
    right result/result.json 'len(f) == 6 or len(f) > 0 and r["mode"] == "emulated"' \
        'm["lost.ask"]["value"] == m["lost.put"]["value"] == 0' \
        'm["operations.once"]["value"] == 20' 'm["bytes.all"]["value"] == 128 << 10' \
        'c["peer.drain.bytes_in"] >= 128 << 10' 'c["peer.echo.bytes_in"] > 0' \
        'm["lost.beside"]["value"] > 0 or r["mode"] == "emulated"'
done
